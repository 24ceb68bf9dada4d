import java.math.BigDecimal;
import java.math.RoundingMode;

/** Writes the invoice of an order. Only the function "orders" may call it. */
public final class Invoice {
    public record Order(String id, String customer, String item, int quantity, long cents) {}

    public record Text(String number, String net, String tax, String total) {}

    private static final BigDecimal TAX = new BigDecimal("0.19");

    public Text handle(Order order) {
        BigDecimal total = BigDecimal.valueOf(order.cents(), 2);
        BigDecimal net = total.divide(BigDecimal.ONE.add(TAX), 2, RoundingMode.HALF_UP);
        return new Text("R-" + order.id().substring(0, 8), net.toPlainString(), total.subtract(net).toPlainString(), total.toPlainString());
    }
}
