package redoubt;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** One connection to the Runtime API, which speaks the little HTTP it takes. */
final class Channel {
    private final Socket socket = new Socket();
    private final BufferedInputStream in;
    private final OutputStream out;
    private final String host;
    private final byte[] line = new byte[64 << 10];

    /** A response: header names in lower case. */
    record Response(int status, Map<String, String> headers, byte[] body) {
        String header(String name) {
            return headers.get(name);
        }

        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }
    }

    Channel(String address) throws IOException {
        host = address;
        int colon = address.lastIndexOf(':');
        socket.setTcpNoDelay(true);
        socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
        in = new BufferedInputStream(socket.getInputStream(), 16 << 10);
        out = socket.getOutputStream();
    }

    byte[] get(String path) {
        return ("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }

    /** One write for all: the answer and what is asked next. */
    void send(byte[]... parts) throws IOException {
        int size = 0;
        for (byte[] part : parts) size += part.length;
        byte[] all = new byte[size];
        int at = 0;
        for (byte[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        out.write(all);
        out.flush();
    }

    byte[] head(String path, String headers, int length) {
        return ("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n" + headers
                + "Content-Length: " + length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }

    Response receive() throws IOException {
        String first = readLine();
        Map<String, String> headers = new HashMap<>();
        for (String l = readLine(); !l.isEmpty(); l = readLine()) {
            int colon = l.indexOf(':');
            if (colon > 0) headers.put(l.substring(0, colon).toLowerCase(), l.substring(colon + 1).trim());
        }
        int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
        byte[] body = in.readNBytes(length);
        if (body.length < length) throw new EOFException("the Runtime API closed the connection");
        return new Response(Integer.parseInt(first.substring(9, 12)), headers, body);
    }

    private String readLine() throws IOException {
        for (int n = 0; n < line.length; n++) {
            int b = in.read();
            if (b < 0) throw new EOFException("the Runtime API closed the connection");
            if (b == '\n') return new String(line, 0, n > 0 && line[n - 1] == '\r' ? n - 1 : n, StandardCharsets.ISO_8859_1);
            line[n] = (byte) b;
        }
        throw new IOException("the Runtime API sent an endless line");
    }
}
