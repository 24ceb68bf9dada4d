"""Watches the cold store: one MQTT message is one reading."""

WARM = 8.0  # degrees


def handler(event, context):
    celsius = float(event["celsius"])
    print("%s: %.1f degrees%s" % (event["topic"], celsius, ", too warm" if celsius > WARM else ""))
    return {"alarm": celsius > WARM}
