package agentr;

import java.lang.reflect.Field;
import java.util.Arrays;
import sun.misc.Unsafe;

/**
 * Copies graphs of objects, field by field, so that what was one object stays one object.
 *
 * <p>Every object of these processes has the same hash (that makes replay exact), so no hash table of Java's can find
 * the copy of an object again. Their addresses can, but the collector may move objects while a graph is copied: then
 * some object is no longer found where it was noted, and the copy is thrown away and made again.
 */
final class Copier {
    static final Unsafe UNSAFE = unsafe();
    private static final int ATTEMPTS = 10;

    /** Not a hash table either: classes have the one hash as well. */
    private static final ClassValue<Shape> SHAPES = new ClassValue<Shape>() {
        @Override
        protected Shape computeValue(Class<?> type) {
            return new Shape(type);
        }
    };

    /** The objects met so far, their copies, and where in {@code table} their addresses lead. */
    private Object[] originals = new Object[1 << 14];
    private Object[] copies = new Object[1 << 14];
    private int[] table = new int[1 << 15];
    private int count;
    private int size;
    /** An object put here shows its address to {@link Unsafe}. */
    private final Object[] window = new Object[1];

    /** Copy {@code from[i]} into the existing {@code to[i]}, and all that is reached from there into new objects. */
    void copy(Object[] from, Object[] to) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            try {
                for (int i = 0; i < from.length; i++) {
                    add(from[i], to[i]);
                }
                for (int i = 0; i < count; i++) {  // grows while it runs
                    SHAPES.get(originals[i].getClass()).fill(this, originals[i], copies[i]);
                }
                if (nothingMoved()) {
                    return;
                }
            } finally {
                forget();
            }
        }
        throw new IllegalStateException("the collector moved objects in each of " + ATTEMPTS + " attempts");
    }

    /** How many objects the last copy went through. */
    int size() {
        return size;
    }

    /** The copy of an object, made now where there is none yet; its fields follow. */
    Object copyOf(Object original) {
        if (original == null) {
            return null;
        }
        Shape shape = SHAPES.get(original.getClass());
        if (shape.shared) {
            return original;
        }
        int known = table[slot(original)];
        return known > 0 ? copies[known - 1] : add(original, shape.blank(original));
    }

    private Object add(Object original, Object copy) {
        if (2 * (count + 1) > table.length || count == originals.length) {
            grow();
        }
        originals[count] = original;
        copies[count] = copy;
        table[slot(original)] = ++count;
        return copy;
    }

    /** Where an object is in the table, else where it belongs. */
    private int slot(Object original) {
        window[0] = original;
        long address = Shape.REFERENCE == 4
                ? UNSAFE.getInt(window, Shape.ELEMENTS) : UNSAFE.getLong(window, Shape.ELEMENTS);
        int mask = table.length - 1;
        int slot = (int) ((address * 0x9E3779B97F4A7C15L) >>> 40) & mask;
        while (table[slot] != 0 && originals[table[slot] - 1] != original) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    /** True where every object is found where it was noted, so that each was met as itself each time. */
    private boolean nothingMoved() {
        for (int i = 0; i < count; i++) {
            if (table[slot(originals[i])] != i + 1) {
                return false;
            }
        }
        return true;
    }

    private void grow() {
        originals = Arrays.copyOf(originals, 2 * originals.length);
        copies = Arrays.copyOf(copies, 2 * copies.length);
        table = new int[2 * table.length];
        for (int i = 0; i < count; i++) {
            table[slot(originals[i])] = i + 1;
        }
    }

    private void forget() {
        size = count;
        Arrays.fill(originals, 0, count, null);
        Arrays.fill(copies, 0, count, null);
        Arrays.fill(table, 0);
        window[0] = null;
        count = 0;
    }

    /** A new object of a class, without running a constructor. */
    static Object blank(Class<?> type) {
        try {
            return UNSAFE.allocateInstance(type);
        } catch (InstantiationException error) {
            throw new IllegalStateException(error);
        }
    }

    /** The value of a private field. */
    static Object read(Object owner, Class<?> type, String field) {
        try {
            return UNSAFE.getObject(owner, UNSAFE.objectFieldOffset(type.getDeclaredField(field)));
        } catch (NoSuchFieldException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Unsafe unsafe() {
        try {
            Field field = Unsafe.class.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            return (Unsafe) field.get(null);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }
}
