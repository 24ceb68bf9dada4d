"""Says what an item costs.

VULNERABLE ON PURPOSE, in two places, both marked HOLE. Do not copy.
"""

import json
import os
import sqlite3

db = sqlite3.connect(":memory:")
db.executescript(
    """
    create table price (item text, cents integer);
    insert into price values ('earl grey', 650), ('lapsang', 720), ('oolong', 890);
    create table supplier (name text, cost integer);
    insert into supplier values ('secret-supplier-darjeeling-estate', 210);
    """
)


def handler(event, context):
    ask = event.get("queryStringParameters") or event
    item, quantity = str(ask.get("item", "")), str(ask.get("quantity", "1"))
    # HOLE 1: the item is pasted into the statement.
    rows = db.execute("select item, cents from price where item = '%s'" % item).fetchall()
    if not rows:
        return {"statusCode": 404, "body": json.dumps({"message": "the shop does not sell that"})}
    return {"prices": [{"item": i, "cents": c} for i, c in rows], "quantity": count(quantity)}


def count(text):
    if text.isdigit():
        return int(text)
    # HOLE 2: buyers like to write 2*6, and the author let a shell do the sum.
    return os.popen("echo $((%s))" % text).read().strip()
