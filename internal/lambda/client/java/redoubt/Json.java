package redoubt;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON into maps, lists, strings, numbers, booleans and null. */
final class Json {
    private static final int MAX_DEPTH = 500;
    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) throw json.wrong("more after the value");
        return value;
    }

    private RuntimeException wrong(String what) {
        return new IllegalArgumentException("JSON: " + what + " at character " + at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private char peek() {
        if (at >= text.length()) throw wrong("unexpected end");
        return text.charAt(at);
    }

    private void expect(char c) {
        space();
        if (peek() != c) throw wrong("expected '" + c + "'");
        at++;
    }

    private boolean accept(char c) {
        space();
        if (peek() != c) return false;
        at++;
        return true;
    }

    private Object value() {
        space();
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", true);
            case 'f':
                return word("false", false);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) throw wrong("unknown word");
        at += word.length();
        return value;
    }

    private Map<String, Object> object() {
        deeper();
        Map<String, Object> map = new LinkedHashMap<>();
        expect('{');
        if (!accept('}')) {
            do {
                space();
                String key = string();
                expect(':');
                map.put(key, value());
            } while (accept(','));
            expect('}');
        }
        depth--;
        return map;
    }

    private List<Object> array() {
        deeper();
        List<Object> list = new ArrayList<>();
        expect('[');
        if (!accept(']')) {
            do list.add(value());
            while (accept(','));
            expect(']');
        }
        depth--;
        return list;
    }

    private void deeper() {
        if (++depth > MAX_DEPTH) throw wrong("nested too deeply");
    }

    private String string() {
        if (peek() != '"') throw wrong("expected a string");
        int start = ++at;
        int end = text.indexOf('"', start);
        if (end < 0) throw wrong("unexpected end");
        int escape = text.indexOf('\\', start);
        if (escape < 0 || escape > end) {
            at = end + 1;
            return text.substring(start, end);
        }
        StringBuilder b = new StringBuilder();
        for (char c = next(); c != '"'; c = next()) b.append(c == '\\' ? escaped() : c);
        return b.toString();
    }

    private char next() {
        char c = peek();
        at++;
        return c;
    }

    private char escaped() {
        char c = next();
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                if (at + 4 > text.length()) throw wrong("unexpected end");
                at += 4;
                try {
                    return (char) Integer.parseInt(text.substring(at - 4, at), 16);
                } catch (NumberFormatException e) {
                    throw wrong("bad escape");
                }
            case '"':
            case '\\':
            case '/':
                return c;
            default:
                throw wrong("bad escape");
        }
    }

    private Number number() {
        int start = at;
        boolean whole = true;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            whole &= ".eE".indexOf(text.charAt(at)) < 0;
            at++;
        }
        String digits = text.substring(start, at);
        try {
            if (!whole) return Double.valueOf(digits);
            if (digits.length() > 18) return new BigInteger(digits);
            long n = Long.parseLong(digits);
            if (n == (int) n) return (int) n;
            return n;
        } catch (NumberFormatException e) {
            at = start;
            throw wrong("unexpected character");
        }
    }

    /** Writes s as a JSON string. */
    static void quote(StringBuilder out, CharSequence s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c == '\n') out.append("\\n");
            else if (c == '\r') out.append("\\r");
            else if (c == '\t') out.append("\\t");
            else if (c < ' ' || Character.isSurrogate(c) && !paired(s, i)) out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        out.append('"');
    }

    private static boolean paired(CharSequence s, int i) {
        return Character.isHighSurrogate(s.charAt(i))
                ? i + 1 < s.length() && Character.isLowSurrogate(s.charAt(i + 1))
                : i > 0 && Character.isHighSurrogate(s.charAt(i - 1));
    }

    static String number(Number n) {
        if (n instanceof BigDecimal d) return d.toString();
        if ((n instanceof Double || n instanceof Float) && !Double.isFinite(n.doubleValue())) return "\"" + n + "\"";
        return n.toString();
    }
}
