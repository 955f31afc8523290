"""Loads collections of every type through pymilvus, with changes, deletions and keys that came again.

usage: milvus_load.py URL types N       collection "types": varchar keys of every kind, every type that Lite has, dynamic fields
       milvus_load.py URL ints N DIM    collection "ints": int64 keys with both ends of the range
       milvus_load.py URL others        collections "auto" (autoID), "parted" (partitions), "keyed" (partition key), "bare" (not loaded)
       milvus_load.py URL writes N      upserts, deletes and inserts into "types" until stdin ends; keys "w-…" only
"""

import random
import struct
import sys
import threading

from pymilvus import DataType, MilvusClient

client = MilvusClient(sys.argv[1])
dice = random.Random(7)
ODD = ['"', "\\", "\\\\", '\\"', "'", "\n", "\r\n", "\t", "é", "日本", "\U0001f600", " ", "a b", "%", "\u0001", "\x7f", "\\n", "\\u0041", "{}", "pk > 1"]


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def vector(dim):
    return [float32(dice.gauss(0, 1)) for _ in range(dim)]


def bits(dim):
    """Values whose digits are hard: denormals, halves of the last place, large and small ones."""
    made = []
    while len(made) < dim:
        value = struct.unpack("<f", struct.pack("<I", dice.getrandbits(32)))[0]
        if value == value and abs(value) != float("inf"):
            made.append(value)
    return made


def index(metric):
    params = client.prepare_index_params()
    params.add_index(field_name="vec", index_type="FLAT", metric_type=metric)
    return params


def types_schema():
    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=200)
    schema.add_field("b", DataType.BOOL, nullable=True)
    for name, kind in [("i8", DataType.INT8), ("i16", DataType.INT16), ("i32", DataType.INT32), ("i64", DataType.INT64)]:
        schema.add_field(name, kind, nullable=True)
    schema.add_field("f", DataType.FLOAT, nullable=True)
    schema.add_field("d", DataType.DOUBLE, nullable=True)
    schema.add_field("s", DataType.VARCHAR, max_length=2000, nullable=True, default_value="none given")
    schema.add_field("n", DataType.INT64, default_value=-7)
    schema.add_field("js", DataType.JSON, nullable=True)
    kinds = ["BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "VARCHAR"]
    for kind in kinds:
        more = {"max_length": 100} if kind == "VARCHAR" else {}
        schema.add_field("a_" + kind.lower(), DataType.ARRAY, element_type=DataType[kind], max_capacity=20, nullable=kind == "INT64", **more)
    schema.add_field("place", DataType.GEOMETRY, nullable=True)
    schema.add_field("at", DataType.TIMESTAMPTZ, nullable=True)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=16)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    return schema


def types_row(i, key=None):
    maybe = lambda value: None if dice.random() < 0.2 else value
    many = lambda make: [make() for _ in range(dice.randrange(5))]
    row = {
        "pk": key or f"{ODD[i % len(ODD)]}{i:06}{ODD[i * 7 % len(ODD)]}",
        "b": maybe(dice.random() < 0.5),
        "i8": maybe(dice.randrange(-128, 128)),
        "i16": maybe(dice.randrange(-(2**15), 2**15)),
        "i32": maybe(dice.choice([-(2**31), 2**31 - 1, dice.randrange(-9999, 9999)])),
        "i64": maybe(dice.choice([-(2**63), 2**63 - 1, 2**53 + 1, dice.getrandbits(63)])),
        "f": maybe(dice.choice([0.1, 1e-42, -0.0, 3.4028234663852886e38, float32(dice.random())])),
        "d": maybe(dice.choice([0.1, 5e-324, -0.0, 1.7976931348623157e308, dice.random()])),
        "js": maybe(dice.choice([{"a": 1, "b": [1.5, "x", None, 2**53 + 1], "c": {"d": "é\n"}}, [1, 2.0], {}, {"q": "\"\\"}])),
        "a_bool": many(lambda: dice.random() < 0.5),
        "a_int8": many(lambda: dice.randrange(-128, 128)),
        "a_int16": many(lambda: dice.randrange(-(2**15), 2**15)),
        "a_int32": many(lambda: dice.randrange(-(2**31), 2**31)),
        "a_int64": maybe(many(lambda: dice.choice([2**63 - 1, -(2**63), 5]))),
        "a_float": many(lambda: float32(dice.random())),
        "a_double": many(dice.random),
        "a_varchar": many(lambda: dice.choice(ODD)),
        "place": maybe(f"POINT ({i} {-i})"),
        "at": maybe(f"2026-01-02T03:04:{i % 60:02}.{i % 1000000:06}+02:00"),
        "vec": bits(16),
        "sparse": {dice.randrange(2**20): float32(dice.random()) for _ in range(1 + i % 5)},
    }
    if i % 3:
        row["s"] = maybe(dice.choice(ODD) * (i % 9))
        row["n"] = i
    if i % 2:
        row.update({"free": dice.choice([1, 2**63 - 1, 1.5, "x", None, [1, "a"], {"k": 1.0}]), f"only {i % 11}": i, "": "empty", "a.b": "é"})
    return row


def insert(name, rows, step=1000, **more):
    for at in range(0, len(rows), step):
        client.insert(name, rows[at : at + step], **more)


def literal(key):
    """pymilvus does not escape keys."""
    for plain, escaped in [("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")]:
        key = key.replace(plain, escaped)
    return f'"{key}"'


def delete(keys):
    for at in range(0, len(keys), 200):
        client.delete("types", filter=f"pk in [{', '.join(map(literal, keys[at : at + 200]))}]")


def types(count):
    params = index("COSINE")
    params.add_index(field_name="sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_collection("types", schema=types_schema(), index_params=params)
    rows = [types_row(i) for i in range(count)]
    insert("types", rows)
    for i in range(0, count, 7):
        rows[i] = types_row(i, rows[i]["pk"])
    client.upsert("types", [rows[i] for i in range(0, count, 7)])
    gone = [rows[i]["pk"] for i in range(0, count, 5)]
    delete(gone)
    insert("types", [types_row(i, rows[i]["pk"]) for i in range(0, count, 10)])


def ints(count, dim):
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=dim)
    schema.add_field("text", DataType.VARCHAR, max_length=2000)
    client.create_collection("ints", schema=schema, index_params=index("L2"))
    ends = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1]
    keys = ends + [i * 1000003 - 10**10 for i in range(1, count - len(ends) + 1)]
    insert("ints", [{"id": key, "vec": vector(dim), "text": f"text of {key}"} for key in keys])
    changed = keys[::9]
    for at in range(0, len(changed), 1000):
        client.upsert("ints", [{"id": key, "vec": vector(dim), "text": f"changed {key}"} for key in changed[at : at + 1000]])


def others():
    for name in ["auto", "parted", "keyed", "bare"]:
        schema = client.create_schema(auto_id=name == "auto")
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vec", DataType.FLOAT_VECTOR, dim=4)
        schema.add_field("group", DataType.VARCHAR, max_length=20, is_partition_key=name == "keyed")
        client.create_collection(name, schema=schema, index_params=index("IP"))
        row = lambda i: {"vec": vector(4), "group": f"g{i % 3}"} | ({} if name == "auto" else {"id": i})
        if name == "parted":
            for partition, rows in [("a", range(100)), ("b", range(100, 250))]:
                client.create_partition(name, partition)
                insert(name, [row(i) for i in rows], partition_name=partition)
            insert(name, [row(i) for i in range(250, 260)])
        else:
            insert(name, [row(i) for i in range(300)])
    client.release_collection("bare")


def writes(count):
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)
    i = 0
    while not ended.is_set():
        client.upsert("types", [types_row(j, f"w-{j % count:05}") for j in range(i, i + 20)])
        if i % 3 == 0:
            delete([f"w-{(i + 7) % count:05}"])
        i += 20
    print(i, flush=True)


{"types": lambda: types(int(sys.argv[3])), "ints": lambda: ints(int(sys.argv[3]), int(sys.argv[4])), "others": others, "writes": lambda: writes(int(sys.argv[3]))}[sys.argv[2]]()
