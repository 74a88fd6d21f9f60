package agentr;

import java.io.Closeable;
import java.lang.ref.Reference;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import sun.misc.Unsafe;

/** How the objects of one class are copied: shared, as an array, or field by field. */
final class Shape {
    static final long ELEMENTS = Unsafe.ARRAY_OBJECT_BASE_OFFSET;
    static final int REFERENCE = Unsafe.ARRAY_OBJECT_INDEX_SCALE;
    private static final Unsafe UNSAFE = Copier.UNSAFE;
    /** What cannot be copied by copying its fields. */
    private static final Class<?>[] UNCOPYABLE = {
        Thread.class, ThreadLocal.class, ClassLoader.class, Reference.class, Closeable.class
    };

    /**
     * What makes tasks: of use to load() alone, which makes a new one. It is large, and a snapshot would keep alive the
     * one of its episode, so fields of this type are left as they are.
     */
    private static final String MAKER = "scienceworld.tasks.TaskMaker1";

    /** True for what is not copied, because it never changes or belongs to no episode. */
    final boolean shared;
    private final Class<?> type;
    private final long[] references;
    private final long[] values;
    private final Class<?>[] kinds;

    Shape(Class<?> type) {
        this.type = type;
        List<Field> toObjects = new ArrayList<>();
        List<Field> toValues = new ArrayList<>();
        for (Class<?> each = type; each != null; each = each.getSuperclass()) {
            for (Field field : each.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && !field.getType().getName().equals(MAKER)) {
                    (field.getType().isPrimitive() ? toValues : toObjects).add(field);
                }
            }
        }
        shared = !type.isArray() && (toObjects.isEmpty() && toValues.isEmpty() || isConstant());
        if (!shared) {
            refuseUncopyable();
        }
        references = toObjects.stream().mapToLong(UNSAFE::objectFieldOffset).toArray();
        values = toValues.stream().mapToLong(UNSAFE::objectFieldOffset).toArray();
        kinds = toValues.stream().map(Field::getType).toArray(Class<?>[]::new);
    }

    /** Texts, numbers, classes, and Scala's singletons. */
    private boolean isConstant() {
        String name = type.getName();
        return type == String.class || type == Class.class || Enum.class.isAssignableFrom(type)
                || name.startsWith("java.lang.") && (Number.class.isAssignableFrom(type) || type == Character.class
                        || type == Boolean.class)
                || isSingleton();
    }

    private boolean isSingleton() {
        try {
            return Modifier.isStatic(type.getDeclaredField("MODULE$").getModifiers());
        } catch (NoSuchFieldException error) {
            return false;
        }
    }

    private void refuseUncopyable() {
        boolean closure = type.isSynthetic();
        for (Class<?> each : UNCOPYABLE) {
            closure |= each.isAssignableFrom(type);
        }
        if (closure) {
            throw new IllegalStateException("objects of " + type.getName() + " cannot be copied");
        }
    }

    /** A new object for the copy; that of an array of values is complete. */
    Object blank(Object original) {
        if (!type.isArray()) {
            return Copier.blank(type);
        }
        int length = Array.getLength(original);
        Object copy = Array.newInstance(type.getComponentType(), length);
        if (type.getComponentType().isPrimitive()) {
            System.arraycopy(original, 0, copy, 0, length);
        }
        return copy;
    }

    /** Copy the fields, or the elements. */
    void fill(Copier copier, Object from, Object to) {
        if (from instanceof Object[]) {
            Object[] elements = (Object[]) from;
            Object[] copies = (Object[]) to;
            for (int i = 0; i < elements.length; i++) {
                copies[i] = copier.copyOf(elements[i]);
            }
            return;
        }
        for (long offset : references) {
            UNSAFE.putObject(to, offset, copier.copyOf(UNSAFE.getObject(from, offset)));
        }
        for (int i = 0; i < values.length; i++) {
            fillValue(kinds[i], from, to, values[i]);
        }
    }

    private static void fillValue(Class<?> kind, Object from, Object to, long offset) {
        if (kind == long.class || kind == double.class) {
            UNSAFE.putLong(to, offset, UNSAFE.getLong(from, offset));
        } else if (kind == int.class || kind == float.class) {
            UNSAFE.putInt(to, offset, UNSAFE.getInt(from, offset));
        } else if (kind == short.class || kind == char.class) {
            UNSAFE.putShort(to, offset, UNSAFE.getShort(from, offset));
        } else {
            UNSAFE.putByte(to, offset, UNSAFE.getByte(from, offset));
        }
    }
}
