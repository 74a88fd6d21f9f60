"""Make webshop_generated.json.gz: what the real Lucene makes of the generated catalogue. For development only.

    pip download pyserini==0.22.1 --no-deps     # a wheel with Anserini's jar in it; nothing of it is installed
    python tests/golden/webshop_lucene.py pyserini-0.22.1-py3-none-any.whl

needs Java 11 or newer. Run it again after every change of the generator: the file names the catalogue it is for.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.postings import document
from agentr_webshop.product import Catalogue

HERE = Path(__file__).parent
JAR = "pyserini/resources/jars/anserini-0.22.1-fatjar.jar"
#: Texts in which each rule of the analyzer decides something.
TEXTS = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with",
    "description:solid 4.5oz 1,000 u.s.a don't x-large james's JAMES'S children’s",
    "technology us caresses ponies ties cats feed agreed plastered motoring sing conflated troubled sized hopping "
    "tanned falling hissing fizzed failing filing happy sky relational conditional valenci digitizer conformabli "
    "radicalli differentli vileli analogousli vietnamization predication operator feudalism decisiveness hopefulness "
    "callousness formaliti sensitiviti sensibiliti archaeologi triplicate formative formalize electriciti electrical "
    "goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment "
    "dependent adoption homologou communism activate angulariti homologous effective bowdlerize probate rate cease "
    "controll roll",
    "a_b _ __ _a_ a:b a:1 1:2 1.2 a.b a.1 1.a a,b 1,2 1;2 a;b a'b 1'2 a''b .5 5. #5 50% $5 &amp; <b>",
    "™ ® © ★ ♥ ❤️ 🎁 👩‍👩‍👧 🇺🇸🇬🇧🇫 1️⃣ #️⃣ ☎ 〰 👍🏽",
    "² ½ ① Ⅳ Ⓐ é e\u0301 ﬁ ß İstanbul ΟΔΟΣ soft\u00adhyphen zero\u200bwidth no\u00a0break",
    "中文 ひらがな カタカナ ｶﾀｶﾅﾞ 한국어 ไทยภาษา русский हिन्दी العربية",
    "a" * 300,
    "",
)


def main() -> None:
    catalogue = load_catalogue()
    with tempfile.TemporaryDirectory() as scratch:
        lucene = Lucene(Path(sys.argv[1]), Path(scratch), catalogue)
        texts = [*TEXTS, *(document(product) for product in catalogue.products[::10])]
        wanted = queries(catalogue)
        golden = {
            "version": catalogue.version,
            "tokens": [[text, found] for text, found in zip(texts, lucene.tokens(texts), strict=True)],
            "rankings": [[query, found] for query, found in zip(wanted, lucene.search(wanted), strict=True)],
        }
    path = HERE / "webshop_generated.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden, ensure_ascii=False).encode(), mtime=0))
    print(f"{path}: {len(texts)} texts, {len(wanted)} queries, catalogue {catalogue.version}")


def queries(catalogue: Catalogue) -> list[str]:
    """Instructions, what people wrote, titles, single words, options, repeats, and searches that find nothing."""
    products = catalogue.products
    found = [p.instruction.lower() for p in products[::5] if p.instruction]
    found += [row.instruction for row in catalogue.human[::3]]
    found += [p.title.lower() for p in products[::20]]
    found += [p.title.split()[0].lower() for p in products[3::40] if p.title.split()]
    found += [f"{value} {p.query}" for p in products[7::30] for values in p.options.values() for value in values[:1]]
    found += [f"{p.query} {p.query} {p.category}" for p in products[9::60]]
    found += [document(p) for p in products[11::90]]
    return list(
        dict.fromkeys([*found, "made with cotton", "™", "'s", "the", "xylophone", "", "desk, desk; desk! lamp"])
    )


class Lucene:
    """The jar of a wheel with the catalogue indexed in ``folder``."""

    def __init__(self, wheel: Path, folder: Path, catalogue: Catalogue) -> None:
        with zipfile.ZipFile(wheel) as archive:
            self._jar = archive.extract(JAR, folder)
        self._folder, documents = folder, folder / "documents"
        documents.mkdir()
        rows = [{"id": product.asin, "contents": document(product)} for product in catalogue.products]
        (documents / "documents.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        self._java("index", str(documents), str(folder / "index"))

    def tokens(self, texts: Sequence[str]) -> Any:
        return self._answer("tokens", texts)

    def search(self, wanted: Sequence[str]) -> Any:
        return self._answer("search", wanted, str(self._folder / "index"))

    def _answer(self, mode: str, value: Sequence[str], *before: str) -> Any:
        question, answer = self._folder / "question.json", self._folder / "answer.json"
        question.write_text(json.dumps(value), encoding="utf-8")
        self._java(mode, *before, str(question), str(answer))
        return json.loads(answer.read_bytes())

    def _java(self, *args: str) -> None:
        command = ["java", "-cp", self._jar, str(HERE / "WebshopLucene.java"), *args]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
