"""What the generated catalogue speaks of: five departments with their kinds of products, words and options."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of product. ``path``: its place in the shop. ``groups``: its option groups, most important first."""

    noun: str
    query: str
    path: str
    groups: tuple[str, ...]


class Department(NamedTuple):
    """A department: ``adjectives`` and ``materials`` for titles, ``uses`` and ``attributes`` for everything."""

    category: str
    kinds: tuple[Kind, ...]
    adjectives: tuple[str, ...]
    materials: tuple[str, ...]
    uses: tuple[str, ...]
    attributes: tuple[str, ...]


def _kinds(root: str, *rows: str) -> tuple[Kind, ...]:
    """Kinds from rows ``noun | query | path below the root | groups``."""
    cells = ([cell.strip() for cell in row.split("|")] for row in rows)
    return tuple(Kind(noun, query, f"{root} › {path}", tuple(groups.split())) for noun, query, path, groups in cells)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


DEPARTMENTS = (
    Department(
        "beauty",
        _kinds(
            "Beauty & Personal Care",
            "Hair Brush | hair brushes | Hair Care › Hair Brushes | color",
            "Shampoo Bottle | refillable containers | Tools & Accessories › Refillable Containers | color pack",
            "Face Cream | face creams | Skin Care › Face › Creams & Moisturizers | volume",
            "Lip Balm | lip balms | Skin Care › Lip Care › Lip Balms | scent pack",
            "Body Scrub | scrubs & body treatments | Skin Care › Body › Scrubs | scent volume",
            "Makeup Mirror | makeup mirrors | Tools & Accessories › Mirrors › Makeup Mirrors | color style",
            "Nail Polish | nail polish | Foot, Hand & Nail Care › Nail Art & Polish | color",
            "Hair Mask | hair treatments | Hair Care › Hair Treatments | scent volume",
        ),
        _list("Gentle, Soft, Daily, Intensive, Refreshing, Mild, Deep, Silky, Calming, Rich"),
        _list("Bamboo, Silicone, Aluminium, Argan, Aloe, Shea, Charcoal, Clay"),
        _list("travel, dry skin, sensitive skin, damaged hair, curly hair, night care, gifts, men, women"),
        _list("cruelty free, paraben free, sulfate free, fragrance free, easy clean, leak proof, dry hair, "
              "hair growth, coconut oil, tea tree, hyaluronic acid, fine lines, natural ingredients, rose gold"),
    ),
    Department(
        "electronics",
        _kinds(
            "Electronics",
            "Desk Speaker | bluetooth speakers | Portable Audio & Video › Speakers › Bluetooth Speakers | color",
            "Charging Cable | lightning cables | Accessories & Supplies › Cables › Charging Cables | color length pack",
            "Phone Case | cases, holsters & sleeves | Cell Phones & Accessories › Cases › Phone Cases | color model",
            "Camera Bag | bags & cases | Camera & Photo › Bags & Cases › Camera Bags | color size",
            "Wall Charger | chargers & adapters | Cell Phones & Accessories › Chargers › Wall Chargers | color pack",
            "Tablet Stand | tablet accessories | Computers & Accessories › Tablet Accessories › Stands | color",
            "Monitor Cable | hdmi cables | Accessories & Supplies › Cables › HDMI Cables | length",
            "Smart Watch | smartwatches | Wearable Technology › Smartwatches | color size",
        ),
        _list("Portable, Slim, Compact, Foldable, Rugged, Smart, Universal, Mini, Wide, Quiet"),
        _list("Aluminium, Nylon, Silicone, Glass, Copper, Leather, Carbon, Plastic"),
        _list("travel, home office, gaming, car, school, photography, hiking, meetings, music"),
        _list("fast charging, high speed, wireless charging, noise cancelling, long lasting, plug play, "
              "easy install, gold plated, high definition, hands free, non slip, heavy duty, ultra hd, stereo sound, "
              "carrying case"),
    ),
    Department(
        "garden",
        _kinds(
            "Home & Kitchen",
            "Desk Lamp | table lamps | Furniture › Lighting › Table Lamps | color style",
            "Console Table | console tables | Furniture › Living Room Furniture › Tables › Console Tables | color size",
            "Throw Pillow | decorative pillows | Bedding › Decorative Pillows | color dimensions",
            "Storage Ottoman | ottomans | Furniture › Living Room Furniture › Ottomans | color dimensions",
            "Window Curtain | window curtains | Window Treatments › Curtains & Drapes | color dimensions pack",
            "Book Shelf | bookcases | Furniture › Home Office Furniture › Bookcases | color",
            "Area Rug | area rugs | Rugs, Pads & Protectors › Area Rugs | color dimensions",
            "Bar Stool | barstools | Furniture › Game & Recreation Room Furniture › Home Bar › Barstools | color pack",
        ),
        _list("Rustic, Modern, Vintage, Classic, Sturdy, Cosy, Tall, Round, Narrow, Industrial"),
        _list("Oak, Walnut, Steel, Linen, Velvet, Cotton, Rattan, Marble"),
        _list("living room, dining room, bedroom, entryway, home office, patio, kitchen, children, gifts"),
        _list("solid wood, easy assemble, easy clean, machine washable, metal legs, memory foam, space saving, "
              "high density, mid century, super soft, storage space, eco friendly, heavy duty, spot clean"),
    ),
    Department(
        "fashion",
        _kinds(
            "Clothing, Shoes & Jewelry",
            "Running Shoe | women's fashion sneakers | Women › Shoes › Fashion Sneakers | color shoe",
            "Cargo Pants | men's pants | Men › Clothing › Pants › Cargo | color size",
            "Summer Dress | women's dresses | Women › Clothing › Dresses › Casual | color size",
            "Rain Jacket | men's jackets & coats | Men › Clothing › Jackets & Coats | color size",
            "Wool Sweater | women's sweaters | Women › Clothing › Sweaters › Pullovers | color size",
            "Leather Loafer | men's loafers & slip-ons | Men › Shoes › Loafers & Slip-Ons | color shoe",
            "Polo Shirt | men's polos | Men › Clothing › Shirts › Polos | color size fit",
            "Yoga Legging | women's leggings | Women › Clothing › Leggings | color size pack",
        ),
        _list("Casual, Elegant, Loose, Slim, Warm, Light, Sporty, Striped, Plain, Stretchy"),
        _list("Cotton, Wool, Denim, Leather, Linen, Polyester, Nylon, Fleece"),
        _list("work, parties, school, hiking, winter, summer, running, everyday wear, weddings"),
        _list("machine wash, hand wash, long sleeve, short sleeve, relaxed fit, rubber sole, arch support, "
              "quick drying, elastic waist, button closure, tummy control, polyester spandex, slim fit, high waist"),
    ),
    Department(
        "grocery",
        _kinds(
            "Grocery & Gourmet Food",
            "Protein Bar | breakfast & cereal bars | Breakfast Foods › Cereal Bars › Protein Bars | flavor pack",
            "Green Tea | tea beverages | Beverages › Bottled Beverages, Water & Drink Mixes › Tea | flavor pack",
            "Coffee Bean | coffee | Beverages › Coffee › Whole Bean | flavor volume",
            "Trail Mix | snack mixes | Snack Foods › Trail Mix | flavor volume pack",
            "Maple Syrup | syrups | Breakfast Foods › Syrups | volume",
            "Dried Mango | dried fruits | Produce › Dried Fruits & Vegetables | pack",
            "Tomato Sauce | sauces | Pantry Staples › Sauces › Tomato Sauces | flavor volume",
            "Chocolate Cookie | cookies | Snack Foods › Cookies | flavor pack",
        ),
        _list("Organic, Crunchy, Roasted, Smooth, Dark, Sweet, Fresh, Hearty, Mild, Toasted"),
        _list("Almond, Honey, Oat, Coconut, Cinnamon, Cocoa, Peanut, Ginger"),
        _list("breakfast, lunch, gifts, parties, children, office, hiking, baking, holidays"),
        _list("gluten free, dairy free, sugar free, low carb, high protein, plant based, keto friendly, soy free, "
              "artificial colors, low sodium, kosher certified, resealable bag, high fructose, nut free, ready eat"),
    ),
)  # fmt: skip

#: Option group -> its name on the page and its values.
OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "color": ("Color", _list("Black, White, Red, Green, Navy Blue, Light Blue, Rose Gold, Dark Grey, Pink, Khaki, "
                             "Beige, Stonewashed, Brown-2070, Grey+Walnut, Tangerine")),
    "size": ("Size", _list("X-Small, Small, Medium, Large, X-Large, XX-Large, 3X-Large, 4X-Large Big")),
    "shoe": ("Size", _list("6, 6.5, 7, 7.5, 8, 8.5, 9, 10.5, 11 Wide, 12 Wide")),
    "dimensions": ("Size", ('12" x 12"', '18" x 18"', '28" x 28"', "2' x 3'", "5 ft x 7 ft", '52" W x 84" L')),
    "volume": ("Size", _list("1.7 Fl Oz (Pack of 1), 4.5oz, 8 Ounce, 12 Ounce (Pack of 2), 100 ml, 1 Pound")),
    "length": ("Length", _list("3ft, 6ft, 10ft, 1.5 m, 15 Feet")),
    "pack": ("Item Package Quantity", _list("1, 2, 3-pack, 6 Count, 12")),
    "scent": ("Scent", _list("Lavender, Vanilla, Rose, Unscented, Green Tea, Citrus & Mint")),
    "flavor": ("Flavor Name", _list("Vanilla, Salted Caramel, Peanut Butter, Original, Dark Chocolate, Berry")),
    "style": ("Style", _list("Modern, Classic, With Shelf, Battery Powered, Plug-in")),
    "model": ("Pattern Name", _list("Model A7, Model B12 Pro, Model C3 Mini, Model D9")),
    "fit": ("Fit Type", _list("Men, Women, Youth")),
}  # fmt: skip

#: A brand is one of each.
BRAND_STARTS = _list("Al, Bor, Cal, Dor, El, Fen, Gal, Hol, Iv, Jun, Kor, Lum, Mar, Nor, Or, Pel, Quin, Ros, Sol, Tam, "
                     "Ul, Vel, Wes, Yar, Zan, Bri, Cre, Dru, Fro, Gri")  # fmt: skip
BRAND_MIDDLES = _list("a, e, i, o, u, ane, emi, ova, ira, udo, ela, osti")
BRAND_ENDS = _list(
    "ra, lux, mont, nix, dale, via, ton, mere, quist, bex, lin, zo, feld, gard, wick, sen, tica, ply, rest, kin"
)

#: Two attributes that count as the same, with a token set ratio of 86, and two that just do not, with one of 85.
SAME = ("machine washable", "machine wash")
NOT_SAME = ("high quality", "high qualities")

_NO_NOUNS = frozenset(_list("dry, sensitive, damaged, curly, everyday, home, living, dining, green"))
#: The words of titles that are nouns; brands are nouns too.
NOUNS = frozenset(
    word.lower()
    for department in DEPARTMENTS
    for phrase in (*(kind.noun for kind in department.kinds), *department.materials, *department.uses)
    for word in phrase.split()
    if word.lower() not in _NO_NOUNS
) | {"pack", "set", "series", "accessories", "box"}
