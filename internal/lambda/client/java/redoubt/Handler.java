package redoubt;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;

/** The user's code: a method, and how its arguments are made. */
final class Handler {
    /** A handler that cannot be used, in the contract's words. */
    static final class Unusable extends Exception {
        private static final long serialVersionUID = 1L;
        final String kind;

        Unusable(String kind, String message, Throwable cause) {
            super(message, cause);
            this.kind = kind;
        }
    }

    private final Object instance; // null where the method is static
    private final Method method;
    private final Type input; // null where it takes none
    private final boolean streams;
    private final CustomPojoSerializer own;

    private Handler(Object instance, Method method, Type input, boolean streams, CustomPojoSerializer own) {
        this.instance = instance;
        this.method = method;
        this.input = input;
        this.streams = streams;
        this.own = own;
    }

    /** Finds "package.Class" or "package.Class::method". */
    static Handler load(String name, ClassLoader loader) throws Unusable {
        String[] parts = name.split("::", 2);
        Class<?> c;
        try {
            c = Class.forName(parts[0], true, loader);
        } catch (ClassNotFoundException e) {
            throw new Unusable("java.lang.ClassNotFoundException", "Class not found: " + parts[0], e);
        } catch (LinkageError e) {
            throw new Unusable(e.getClass().getName(), "Class " + parts[0] + " cannot be loaded: " + e, e.getCause() == null ? e : e.getCause());
        }
        Method m = parts.length == 2 ? method(c, parts[1]) : method(c, "handleRequest");
        if (m == null && parts.length == 1) {
            throw new Unusable("Runtime.HandlerNotFound", parts[0] + " implements neither RequestHandler nor RequestStreamHandler; name a method: " + parts[0] + "::method", null);
        }
        if (m == null) throw new Unusable("java.lang.NoSuchMethodException", "No public method named " + parts[1] + " with appropriate method signature found on class " + parts[0], null);
        m.trySetAccessible();
        Object instance = Modifier.isStatic(m.getModifiers()) ? null : make(c);
        boolean streams = m.getParameterCount() > 1 && m.getParameterTypes()[0] == InputStream.class && m.getParameterTypes()[1] == OutputStream.class;
        CustomPojoSerializer own = ServiceLoader.load(CustomPojoSerializer.class, loader).findFirst().orElse(null);
        return new Handler(instance, m, input(c, m), streams, own);
    }

    /** The method of that name that says most of its types: bridges go last. */
    private static Method method(Class<?> c, String name) {
        return Arrays.stream(c.getMethods())
                .filter(m -> m.getName().equals(name) && usable(m.getParameterTypes()))
                .max(Comparator.comparing((Method m) -> !m.isBridge()).thenComparing(Method::getParameterCount))
                .orElse(null);
    }

    private static boolean usable(Class<?>[] types) {
        return switch (types.length) {
            case 0, 1 -> true;
            case 2 -> types[1] == Context.class || types[0] == InputStream.class && types[1] == OutputStream.class;
            case 3 -> types[0] == InputStream.class && types[1] == OutputStream.class && types[2] == Context.class;
            default -> false;
        };
    }

    private static Object make(Class<?> c) throws Unusable {
        try {
            Constructor<?> constructor = c.getDeclaredConstructor();
            constructor.trySetAccessible();
            return constructor.newInstance();
        } catch (InvocationTargetException e) {
            throw new Unusable(e.getCause().getClass().getName(), String.valueOf(e.getCause().getMessage()), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new Unusable(e.getClass().getName(), "Class " + c.getName() + " needs a public constructor that takes nothing", e);
        }
    }

    /** The type of the event: for an inherited generic method, what the class
     * says for the type variable. */
    private static Type input(Class<?> c, Method m) {
        if (m.getParameterCount() == 0 || m.getParameterTypes()[0] == Context.class) return null;
        Type type = m.getGenericParameterTypes()[0];
        return type instanceof TypeVariable<?> ? bindings(c).getOrDefault(type, Object.class) : type;
    }

    private static Map<Type, Type> bindings(Class<?> c) {
        Map<Type, Type> bound = new HashMap<>();
        for (Class<?> k = c; k != null; k = k.getSuperclass()) {
            bind(bound, k.getGenericSuperclass());
            for (Type i : k.getGenericInterfaces()) bind(bound, i);
        }
        return bound;
    }

    private static void bind(Map<Type, Type> bound, Type type) {
        if (!(type instanceof ParameterizedType p)) return;
        TypeVariable<?>[] names = ((Class<?>) p.getRawType()).getTypeParameters();
        for (int i = 0; i < names.length; i++) bound.put(names[i], bound.getOrDefault(p.getActualTypeArguments()[i], p.getActualTypeArguments()[i]));
    }

    /** Runs the code; what it throws comes out as it was thrown. */
    byte[] run(byte[] event, Context context) throws Throwable {
        try {
            return streams ? stream(event, context) : value(event, context);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private byte[] stream(byte[] event, Context context) throws ReflectiveOperationException {
        ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
        InputStream in = new ByteArrayInputStream(event);
        if (method.getParameterCount() == 3) method.invoke(instance, in, out, context);
        else method.invoke(instance, in, out);
        return out.toByteArray();
    }

    private byte[] value(byte[] event, Context context) throws ReflectiveOperationException {
        Object given = null;
        if (input == InputStream.class) given = new ByteArrayInputStream(event);
        else if (input != null) given = own != null ? own.fromJson(new ByteArrayInputStream(event), input) : read(event);
        Object got = switch (method.getParameterCount()) {
            case 0 -> method.invoke(instance);
            case 1 -> method.invoke(instance, input == null ? context : given);
            default -> method.invoke(instance, given, context);
        };
        if (own != null && got != null) {
            ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
            own.toJson(got, out, method.getGenericReturnType());
            return out.toByteArray();
        }
        return Bean.write(got).getBytes(StandardCharsets.UTF_8);
    }

    private Object read(byte[] event) {
        try {
            return Bean.read(event.length == 0 ? null : Json.parse(new String(event, StandardCharsets.UTF_8)), input);
        } catch (IllegalArgumentException e) {
            throw new RuntimeException("An error occurred during JSON parsing: " + e.getMessage(), e);
        }
    }
}
