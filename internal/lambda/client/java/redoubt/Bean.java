package redoubt;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/** Turns parsed JSON into objects of the types a handler names, and back. */
final class Bean {
    private Bean() {}

    private static final Map<Class<?>, Map<String, Property>> SETTERS = new ConcurrentHashMap<>();
    private static final Map<Class<?>, Map<String, Method>> GETTERS = new ConcurrentHashMap<>();

    /** How one property is set: by a setter, or a field. */
    private record Property(Type type, Method setter, Field field) {
        void set(Object bean, Object value) throws ReflectiveOperationException {
            if (setter != null) setter.invoke(bean, value);
            else field.set(bean, value);
        }
    }

    static Object read(Object json, Type type) {
        try {
            return read(json, type, Map.of());
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException("cannot make " + type.getTypeName() + " of the event: " + e.getCause(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot make " + type.getTypeName() + " of the event: " + e, e);
        }
    }

    private static Object read(Object json, Type type, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (type instanceof TypeVariable<?> v) return read(json, bound.getOrDefault(v, Object.class), bound);
        if (type instanceof WildcardType w) return read(json, w.getUpperBounds()[0], bound);
        if (type instanceof GenericArrayType a) return array(json, raw(a.getGenericComponentType(), bound), a.getGenericComponentType(), bound);
        if (type instanceof ParameterizedType p) return parameterized(json, p, bound);
        Class<?> c = (Class<?>) type;
        if (json == null) return c.isPrimitive() ? zero(c) : c == Optional.class ? Optional.empty() : null;
        if (c == Object.class || c.isInstance(json) && (!(json instanceof Map) || c == Map.class)) return json;
        if (c == String.class || c == CharSequence.class) return text(json);
        if (c == boolean.class || c == Boolean.class) return json instanceof Boolean b ? b : Boolean.valueOf(text(json));
        if (c == char.class || c == Character.class) return text(json).charAt(0);
        if (c.isPrimitive() || Number.class.isAssignableFrom(c)) return number(json, c);
        if (c == byte[].class && json instanceof String s) return Base64.getDecoder().decode(s);
        if (c == ByteBuffer.class) return ByteBuffer.wrap(Base64.getDecoder().decode(text(json)));
        if (c.isArray()) return array(json, c.getComponentType(), c.getComponentType(), bound);
        if (c.isEnum()) return constant(c, text(json));
        if (Map.class.isAssignableFrom(c)) return map(json, c, Object.class, Object.class, bound);
        if (Collection.class.isAssignableFrom(c)) return collection(json, c, Object.class, bound);
        if (!(json instanceof Map)) return scalar(json, c);
        return bean((Map<?, ?>) json, c, bound);
    }

    private static Object parameterized(Object json, ParameterizedType p, Map<TypeVariable<?>, Type> outer) throws ReflectiveOperationException {
        Class<?> c = (Class<?>) p.getRawType();
        Type[] args = p.getActualTypeArguments();
        for (int i = 0; i < args.length; i++) if (args[i] instanceof TypeVariable<?> v) args[i] = outer.getOrDefault(v, Object.class);
        if (c == Optional.class) return json == null ? Optional.empty() : Optional.of(read(json, args[0], outer));
        if (json == null) return null;
        if (Map.class.isAssignableFrom(c) && args.length == 2) return map(json, c, args[0], args[1], outer);
        if (Iterable.class.isAssignableFrom(c) && args.length == 1) return collection(json, c, args[0], outer);
        Map<TypeVariable<?>, Type> bound = new HashMap<>(outer);
        for (int i = 0; i < args.length; i++) bound.put(c.getTypeParameters()[i], args[i]);
        return json instanceof Map<?, ?> m ? bean(m, c, bound) : read(json, c, bound);
    }

    private static Class<?> raw(Type type, Map<TypeVariable<?>, Type> bound) {
        if (type instanceof Class<?> c) return c;
        if (type instanceof ParameterizedType p) return (Class<?>) p.getRawType();
        return type instanceof TypeVariable<?> v && bound.containsKey(v) ? raw(bound.get(v), bound) : Object.class;
    }

    private static String text(Object json) {
        if (json instanceof String s) return s;
        if (json instanceof Map || json instanceof Collection) {
            throw new IllegalArgumentException("the event has " + (json instanceof Map ? "an object" : "an array") + " where the handler takes a string");
        }
        return String.valueOf(json);
    }

    private static Object zero(Class<?> c) {
        return Array.get(Array.newInstance(c, 1), 0);
    }

    private static Object number(Object json, Class<?> c) {
        BigDecimal n;
        try {
            n = new BigDecimal(json instanceof Boolean b ? (b ? "1" : "0") : text(json).trim());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("the event has " + json + " where the handler takes a number", e);
        }
        if (c == int.class || c == Integer.class) return n.toBigInteger().intValueExact();
        if (c == long.class || c == Long.class) return n.toBigInteger().longValueExact();
        if (c == double.class || c == Double.class) return n.doubleValue();
        if (c == float.class || c == Float.class) return n.floatValue();
        if (c == short.class || c == Short.class) return n.toBigInteger().shortValueExact();
        if (c == byte.class || c == Byte.class) return n.toBigInteger().byteValueExact();
        if (c == BigInteger.class) return n.toBigInteger();
        return n;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object constant(Class<?> c, String name) {
        return Enum.valueOf((Class<? extends Enum>) c, name);
    }

    private static Object array(Object json, Class<?> element, Type type, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (json == null) return null;
        Collection<?> from = list(json);
        Object to = Array.newInstance(element, from.size());
        int i = 0;
        for (Object o : from) Array.set(to, i++, read(o, type, bound));
        return to;
    }

    private static Collection<?> list(Object json) {
        if (json instanceof Collection<?> c) return c;
        throw new IllegalArgumentException("the event has " + (json instanceof Map ? "an object" : json) + " where the handler takes a list");
    }

    @SuppressWarnings("unchecked")
    private static Object collection(Object json, Class<?> c, Type element, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        Collection<Object> to;
        if (!c.isInterface() && !Modifier.isAbstract(c.getModifiers())) to = (Collection<Object>) make(c);
        else if (c.isAssignableFrom(ArrayList.class)) to = new ArrayList<>();
        else if (c.isAssignableFrom(LinkedHashSet.class)) to = new LinkedHashSet<>();
        else if (c.isAssignableFrom(java.util.TreeSet.class)) to = new java.util.TreeSet<>();
        else to = (Collection<Object>) (Collection<?>) new java.util.ArrayDeque<>();
        for (Object o : list(json)) to.add(read(o, element, bound));
        return to;
    }

    @SuppressWarnings("unchecked")
    private static Object map(Object json, Class<?> c, Type key, Type value, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (!(json instanceof Map)) throw new IllegalArgumentException("the event has " + text(json) + " where the handler takes an object");
        Map<Object, Object> to;
        if (!c.isInterface() && !Modifier.isAbstract(c.getModifiers())) to = (Map<Object, Object>) make(c);
        else to = c.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<>() : new TreeMap<>();
        for (Map.Entry<?, ?> e : ((Map<?, ?>) json).entrySet()) to.put(read(e.getKey(), key, bound), read(e.getValue(), value, bound));
        return to;
    }

    /** A class that is written as one value: a time, an address, an id. */
    private static Object scalar(Object json, Class<?> c) throws ReflectiveOperationException {
        if (json instanceof Number n && Date.class.isAssignableFrom(c)) return c.getConstructor(long.class).newInstance(n.longValue());
        if (c == Date.class) return Date.from(java.time.Instant.parse(text(json)));
        for (String name : new String[] {"parse", "fromString", "valueOf", "of"}) {
            for (Method m : c.getMethods()) {
                if (m.getName().equals(name) && Modifier.isStatic(m.getModifiers()) && m.getParameterCount() == 1
                        && c.isAssignableFrom(m.getReturnType()) && m.getParameterTypes()[0].isAssignableFrom(String.class)) {
                    return m.invoke(null, text(json));
                }
            }
        }
        try {
            return c.getConstructor(String.class).newInstance(text(json));
        } catch (NoSuchMethodException e) {
            throw new IllegalArgumentException("the event has " + text(json) + " where the handler takes " + c.getName(), e);
        }
    }

    private static Object bean(Map<?, ?> json, Class<?> c, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (c.isRecord()) return record(json, c, bound);
        Object bean = make(c);
        Map<String, Property> setters = SETTERS.computeIfAbsent(c, Bean::setters);
        for (Map.Entry<?, ?> e : json.entrySet()) {
            Property p = setters.get((String) e.getKey());
            if (p == null) p = setters.get(((String) e.getKey()).toLowerCase(Locale.ROOT));
            if (p == null) continue; // what the type does not have is left out, as on Lambda
            if (e.getValue() == null && raw(p.type, bound).isPrimitive()) continue;
            p.set(bean, read(e.getValue(), p.type, bound));
        }
        return bean;
    }

    private static Object record(Map<?, ?> json, Class<?> c, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        RecordComponent[] parts = c.getRecordComponents();
        Class<?>[] types = new Class<?>[parts.length];
        Object[] values = new Object[parts.length];
        for (int i = 0; i < parts.length; i++) {
            types[i] = parts[i].getType();
            values[i] = read(json.get(parts[i].getName()), parts[i].getGenericType(), bound);
        }
        Constructor<?> constructor = c.getDeclaredConstructor(types);
        constructor.setAccessible(true);
        return constructor.newInstance(values);
    }

    /** An empty object; for a class without such a constructor, none is run. */
    private static Object make(Class<?> c) throws ReflectiveOperationException {
        try {
            Constructor<?> constructor = c.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (NoSuchMethodException e) {
            if (c.isInterface() || Modifier.isAbstract(c.getModifiers())) {
                throw new IllegalArgumentException(c.getName() + " is abstract: name a class with a constructor that takes nothing", e);
            }
            Field unsafe = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
            unsafe.setAccessible(true);
            Object u = unsafe.get(null);
            return u.getClass().getMethod("allocateInstance", Class.class).invoke(u, c);
        }
    }

    /** Properties by name, and by name in lower case. Setters go before fields. */
    private static Map<String, Property> setters(Class<?> c) {
        Map<String, Property> found = new HashMap<>();
        for (Class<?> k = c; k != null && k != Object.class; k = k.getSuperclass()) {
            for (Field f : k.getDeclaredFields()) {
                if (Modifier.isStatic(f.getModifiers()) || f.isSynthetic() || !f.trySetAccessible()) continue;
                Property p = new Property(f.getGenericType(), null, f);
                found.putIfAbsent(f.getName(), p);
                found.putIfAbsent(f.getName().toLowerCase(Locale.ROOT), p);
            }
        }
        for (Method m : c.getMethods()) {
            String name = m.getName();
            if (name.length() < 4 || !name.startsWith("set") || m.getParameterCount() != 1 || m.isBridge() || Modifier.isStatic(m.getModifiers())) continue;
            m.trySetAccessible();
            Property p = new Property(m.getGenericParameterTypes()[0], m, null);
            found.put(decapitalize(name.substring(3)), p);
            found.put(name.substring(3).toLowerCase(Locale.ROOT), p);
        }
        return found;
    }

    /** getFirstName gives firstName, getURL gives url. */
    private static String decapitalize(String s) {
        int n = 0;
        while (n < s.length() && Character.isUpperCase(s.charAt(n))) n++;
        return s.substring(0, n).toLowerCase(Locale.ROOT) + s.substring(n);
    }

    /** Writes any value as JSON. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder(128);
        try {
            write(out, value, 0);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException("cannot write the answer as JSON: " + e.getCause(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot write the answer as JSON: " + e, e);
        }
        return out.toString();
    }

    private static void write(StringBuilder out, Object value, int depth) throws ReflectiveOperationException {
        if (depth > 100) throw new IllegalArgumentException("the answer refers to itself, or is nested too deeply");
        if (value == null) out.append("null");
        else if (value instanceof CharSequence s) Json.quote(out, s);
        else if (value instanceof Boolean) out.append(value);
        else if (value instanceof Number n) out.append(Json.number(n));
        else if (value instanceof Optional<?> o) write(out, o.orElse(null), depth + 1);
        else if (value instanceof Map<?, ?> m) writeMap(out, m, depth);
        else if (value instanceof Iterable<?> i && !(value instanceof java.nio.file.Path)) writeAll(out, i, depth);
        else if (value instanceof byte[] b) Json.quote(out, Base64.getEncoder().encodeToString(b));
        else if (value instanceof ByteBuffer b) writeBuffer(out, b);
        else if (value.getClass().isArray()) writeArray(out, value, depth);
        else if (value instanceof Enum<?> e) Json.quote(out, e.name());
        else if (value instanceof Date d) out.append(d.getTime());
        else if (value instanceof Calendar c) out.append(c.getTimeInMillis());
        else if (value.getClass().getName().startsWith("java.") || value instanceof Character) Json.quote(out, value.toString());
        else writeMap(out, properties(value), depth);
    }

    private static void writeBuffer(StringBuilder out, ByteBuffer b) {
        byte[] bytes = new byte[b.remaining()];
        b.duplicate().get(bytes);
        Json.quote(out, Base64.getEncoder().encodeToString(bytes));
    }

    private static void writeMap(StringBuilder out, Map<?, ?> m, int depth) throws ReflectiveOperationException {
        out.append('{');
        boolean first = true;
        for (Map.Entry<?, ?> e : m.entrySet()) {
            if (!first) out.append(',');
            first = false;
            Json.quote(out, String.valueOf(e.getKey()));
            out.append(':');
            write(out, e.getValue(), depth + 1);
        }
        out.append('}');
    }

    private static void writeAll(StringBuilder out, Iterable<?> all, int depth) throws ReflectiveOperationException {
        out.append('[');
        boolean first = true;
        for (Object o : all) {
            if (!first) out.append(',');
            first = false;
            write(out, o, depth + 1);
        }
        out.append(']');
    }

    private static void writeArray(StringBuilder out, Object array, int depth) throws ReflectiveOperationException {
        out.append('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            if (i > 0) out.append(',');
            write(out, Array.get(array, i), depth + 1);
        }
        out.append(']');
    }

    private static Map<String, Object> properties(Object bean) throws ReflectiveOperationException {
        Map<String, Object> out = new LinkedHashMap<>();
        if (bean instanceof Record) {
            for (RecordComponent part : bean.getClass().getRecordComponents()) {
                Method m = part.getAccessor();
                m.trySetAccessible();
                out.put(part.getName(), m.invoke(bean));
            }
            return out;
        }
        for (Field f : bean.getClass().getFields()) if (!Modifier.isStatic(f.getModifiers())) out.put(f.getName(), f.get(bean));
        for (Map.Entry<String, Method> e : GETTERS.computeIfAbsent(bean.getClass(), Bean::getters).entrySet()) out.put(e.getKey(), e.getValue().invoke(bean));
        return out;
    }

    private static Map<String, Method> getters(Class<?> c) {
        Map<String, Method> found = new TreeMap<>();
        Set<String> not = Set.of("getClass", "getDeclaringClass");
        for (Method m : c.getMethods()) {
            String name = m.getName();
            boolean is = name.startsWith("is") && name.length() > 2 && (m.getReturnType() == boolean.class || m.getReturnType() == Boolean.class);
            if (!is && (!name.startsWith("get") || name.length() < 4) || m.getParameterCount() > 0 || m.getReturnType() == void.class
                    || Modifier.isStatic(m.getModifiers()) || m.isBridge() || not.contains(name) || !m.trySetAccessible()) continue;
            found.put(decapitalize(name.substring(is ? 2 : 3)), m);
        }
        return found;
    }
}
