"""A stub of Milvus' gRPC interface for what Milvus Lite lacks: moments (MVCC), float16, bfloat16, binary and int8 vectors, nulls left
out of columns, structs, random_sample, access, refusals. It speaks with pymilvus' own messages, and refuses what the server refuses.

usage: milvus_stub.py N [option…]     prints its port; serves until stdin ends
  token=T       wants this token, or user:password
  writing       a write happens after every query
  big=N         answers with more than N rows are larger than allowed
  flaky         every third call fails in passing
  nosample      as servers before 2.6: random_sample is not known
  expire=N      the token is good for N calls
"""

import base64
import re
import struct
import sys
import threading
from concurrent import futures

import grpc
import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

COUNT = int(sys.argv[1])
OPTIONS = dict(o.split("=", 1) if "=" in o else (o, True) for o in sys.argv[2:])
T = schema_pb2.DataType.Value
DIM = 16
FIELDS = [
    ("id", "Int64", {}),
    ("f32", "FloatVector", {"dim": DIM}),
    ("f16", "Float16Vector", {"dim": DIM}),
    ("bf16", "BFloat16Vector", {"dim": DIM}),
    ("bits", "BinaryVector", {"dim": DIM}),
    ("i8", "Int8Vector", {"dim": DIM}),
    ("words", "SparseFloatVector", {}),
    ("made", "SparseFloatVector", {}),
    ("maybe", "VarChar", {"max_length": 100}),
    ("tags", "Array", {"max_capacity": 9}),
]
lock = threading.Lock()
clock = 1 << 40
# Key → versions: (from, to, row number), to is None while it lives.
versions = {}
calls = 0


def keys():
    yield from [-(2**63), -(2**63) + 1, 2**63 - 1]
    yield from ((i * 7919) % 10**9 + i for i in range(COUNT - 3))


def write(key, number):
    """An upsert, or a deletion where number is None."""
    global clock
    clock += 1
    old = versions.setdefault(key, [])
    if old and old[-1][1] is None:
        old[-1] = (old[-1][0], clock, old[-1][2])
    if number is not None:
        old.append((clock, None, number))


for number, key in enumerate(keys()):
    write(key, number)
everyone = sorted(versions)


def at(moment):
    """Keys and row numbers as of a moment, in order."""
    for key in everyone:
        for begin, end, number in versions[key]:
            if begin <= moment and (end is None or end > moment):
                yield key, number


def floats(number):
    return ((number * 31 + np.arange(DIM) * 7919) % 20011 - 10005).astype(np.float32) / np.float32(997)


def column(name, kind):
    return schema_pb2.FieldData(field_name=name, type=T(kind))


def columns(rows):
    ids = column("id", "Int64")
    ids.scalars.long_data.data.extend(key for key, _ in rows)
    yield ids
    f32 = column("f32", "FloatVector")
    f32.vectors.dim = DIM
    for _, n in rows:
        f32.vectors.float_vector.data.extend(floats(n).tolist())
    yield f32
    # Null vectors are left out of the values, as servers send them.
    f16 = column("f16", "Float16Vector")
    f16.vectors.dim = DIM
    f16.valid_data.extend(n % 4 != 1 for _, n in rows)
    f16.vectors.float16_vector = b"".join(floats(n).astype(np.float16).tobytes() for _, n in rows if n % 4 != 1)
    yield f16
    bf16 = column("bf16", "BFloat16Vector")
    bf16.vectors.dim = DIM
    bf16.vectors.bfloat16_vector = b"".join((floats(n).view(np.uint32) >> 16).astype(np.uint16).tobytes() for _, n in rows)
    yield bf16
    bits = column("bits", "BinaryVector")
    bits.vectors.dim = DIM
    bits.vectors.binary_vector = b"".join(struct.pack("<H", n % 65536) for _, n in rows)
    yield bits
    i8 = column("i8", "Int8Vector")
    i8.vectors.dim = DIM
    i8.vectors.int8_vector = b"".join(((n + np.arange(DIM) * 37) % 256 - 128).astype(np.int8).tobytes() for _, n in rows)
    yield i8
    words = column("words", "SparseFloatVector")
    words.vectors.sparse_float_vector.contents.extend(struct.pack("<IfIf", n % 4294967295, 0.1, 4294967295, n / 4) for _, n in rows)
    yield words
    maybe = column("maybe", "VarChar")
    maybe.valid_data.extend(n % 3 != 0 for _, n in rows)
    maybe.scalars.string_data.data.extend("" if n % 3 == 0 else f"text {n}" for _, n in rows)
    yield maybe
    tags = column("tags", "Array")
    tags.scalars.array_data.element_type = T("VarChar")
    for _, n in rows:
        tags.scalars.array_data.data.add().string_data.data.extend(["a", str(n)][: n % 3])
    yield tags
    parts = column("parts", "ArrayOfStruct")
    score, late = parts.struct_arrays.fields.add(), parts.struct_arrays.fields.add()
    score.field_name, score.type = "parts[score]", T("Array")
    late.field_name, late.type, late.vectors.dim = "parts[late]", T("ArrayOfVector"), 2
    for _, n in rows:
        score.scalars.array_data.data.add().double_data.data.extend(n + i / 10 for i in range(n % 3))
        one = late.vectors.vector_array.data.add(dim=2)
        one.float_vector.data.extend(v for i in range(n % 3) for v in (n, i + 0.5))
    yield parts
    meta = column("$meta", "JSON")
    meta.is_dynamic = True
    meta.scalars.json_data.data.extend(f'{{"big": {2**63 - 1 - n}, "text": "{n}", "none": null}}'.encode() for _, n in rows)
    yield meta


def bad(code, reason, **more):
    return common_pb2.Status(code=code, error_code=common_pb2.UnexpectedError, reason=reason, **more)


class Stub(milvus_pb2_grpc.MilvusServiceServicer):
    def Connect(self, request, context):
        return milvus_pb2.ConnectResponse(status=common_pb2.Status(), server_info=common_pb2.ServerInfo(build_tags="2.6.0"))

    def GetVersion(self, request, context):
        return milvus_pb2.GetVersionResponse(status=common_pb2.Status(), version="v2.6.0-stub")

    def ShowCollections(self, request, context):
        return milvus_pb2.ShowCollectionsResponse(status=common_pb2.Status(), collection_names=["docs"])

    def DescribeCollection(self, request, context):
        if request.collection_name != "docs":
            return milvus_pb2.DescribeCollectionResponse(status=bad(100, f"collection not found[collection={request.collection_name}]"))
        schema = schema_pb2.CollectionSchema(name="docs", enable_dynamic_field=True)
        for number, (name, kind, params) in enumerate(FIELDS):
            field = schema.fields.add(fieldID=100 + number, name=name, data_type=T(kind), is_primary_key=name == "id")
            field.nullable, field.is_function_output = name in ("maybe", "f16"), name == "made"
            field.element_type = T("VarChar") if name == "tags" else 0
            field.type_params.extend(common_pb2.KeyValuePair(key=k, value=str(v)) for k, v in params.items())
        schema.functions.add(name="bm25", type=schema_pb2.BM25, input_field_names=["maybe"], output_field_names=["made"])
        parts = schema.struct_array_fields.add(name="parts")
        parts.fields.add(name="parts[score]", data_type=T("Array"), element_type=T("Double"))
        parts.fields.add(name="parts[late]", data_type=T("ArrayOfVector"), element_type=T("FloatVector"))
        return milvus_pb2.DescribeCollectionResponse(status=common_pb2.Status(), schema=schema, collection_name="docs", collectionID=7, consistency_level=2)

    def DescribeIndex(self, request, context):
        params = [common_pb2.KeyValuePair(key="metric_type", value="IP"), common_pb2.KeyValuePair(key="index_type", value="HNSW")]
        index = milvus_pb2.IndexDescription(index_name="f32", field_name="f32", params=params)
        return milvus_pb2.DescribeIndexResponse(status=common_pb2.Status(), index_descriptions=[index])

    def ShowPartitions(self, request, context):
        return milvus_pb2.ShowPartitionsResponse(status=common_pb2.Status(), partition_names=["_default"])

    def GetLoadState(self, request, context):
        return milvus_pb2.GetLoadStateResponse(status=common_pb2.Status(), state=common_pb2.LoadStateLoaded)

    def Query(self, request, context):
        params = {p.key: p.value for p in request.query_params}
        counting = list(request.output_fields) == ["count(*)"]
        limit = int(params["limit"]) if "limit" in params else None
        iterator = params.get("iterator") == "True"
        if counting and limit is not None:
            return milvus_pb2.QueryResults(status=bad(1100, "count entities with pagination is not allowed"))
        if not counting and limit is None and not request.expr:
            return milvus_pb2.QueryResults(status=bad(1100, "empty expression should be used with limit"))
        if limit is not None and not 0 < limit <= 16384:
            return milvus_pb2.QueryResults(status=bad(1100, f"invalid max query result window, (offset+limit) should be in range [1, 16384], but got {limit}"))
        if not set(request.output_fields) <= {"*", "count(*)", "id"}:
            return milvus_pb2.QueryResults(status=bad(1100, f"field not exist: {list(request.output_fields)}"))
        with lock:
            moment = request.guarantee_timestamp if iterator and request.guarantee_timestamp else clock
            rows = list(at(moment))
            for condition in request.expr.split(" and ") if request.expr else []:
                drawn = re.fullmatch(r"random_sample\((0\.\d+)\)", condition)
                if drawn and "nosample" not in OPTIONS:
                    rows = rows[:: max(1, int(1 / float(drawn[1])))]
                    continue
                test = re.fullmatch(r"id (>=|>|<=|<) (-?\d{1,19})", condition)
                if not test or abs(int(test[2])) > 2**63 - 1:
                    return milvus_pb2.QueryResults(status=bad(1100, f"failed to create query plan: cannot parse expression: {request.expr}"))
                key = int(test[2])
                rows = [r for r in rows if {">=": r[0] >= key, ">": r[0] > key, "<=": r[0] <= key, "<": r[0] < key}[test[1]]]
            if "writing" in OPTIONS:
                write(everyone[clock % len(everyone)], clock if clock % 3 else None)
        if counting:
            total = column("count(*)", "Int64")
            total.scalars.long_data.data.append(len(rows))
            return milvus_pb2.QueryResults(status=common_pb2.Status(), fields_data=[total], session_ts=moment if iterator else 0)
        rows = rows[:limit]
        if len(rows) > int(OPTIONS.get("big", 10**9)):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: trying to send message larger than max (268435457 vs. 268435456)")
        made = list(columns(rows))
        if list(request.output_fields) == ["id"]:
            made = made[:1]
        # Servers give columns in any order.
        made = made[len(rows) % 3 :] + made[: len(rows) % 3]
        return milvus_pb2.QueryResults(status=common_pb2.Status(), fields_data=made, session_ts=moment if iterator else 0)


class Gate(grpc.ServerInterceptor):
    """Access, and faults in passing."""

    def intercept_service(self, continuation, details):
        global calls
        calls += 1
        given = dict(details.invocation_metadata).get("authorization")
        wanted = OPTIONS.get("token")
        expired = calls > int(OPTIONS.get("expire", 10**9))
        if wanted and (expired or given != base64.b64encode(wanted.encode()).decode()):
            shown = base64.b64decode(given or "").decode()
            return self.refuse(grpc.StatusCode.UNAUTHENTICATED, f"auth check failure, please check api key {shown} is correct")
        if "flaky" in OPTIONS and calls % 3 == 0:
            if calls % 2 and details.method.endswith("/Query"):
                answer = milvus_pb2.QueryResults(status=bad(8, "rate limit exceeded[rate=1]", retriable=True))
                return grpc.unary_unary_rpc_method_handler(lambda r, c: answer, lambda b: b, type(answer).SerializeToString)
            return self.refuse(grpc.StatusCode.UNAVAILABLE, "the proxy is not ready")
        return continuation(details)

    @staticmethod
    def refuse(code, words):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(code, words))


server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=[Gate()], options=[("grpc.max_send_message_length", -1)])
milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Stub(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(1)
