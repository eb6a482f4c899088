#!/usr/bin/env python3
"""A second reader of Crosscast's formats, written from docs/spec and sharing no code with the first.

crosscast_verify.py vectors DIR   holds the golden vectors: what is read, what is refused
crosscast_verify.py stream FILE   reads one direction of a link's byte stream and verifies everything in it

Needs Python 3.9 and the packages cryptography (Ed25519) and blake3. Strictness is its own: see verify() and decode().
In a stream a PROOF is read but not verified: its signature is over the channel's binding, which no capture shows.
"""
import base64, json, pathlib, re, sys, unicodedata
from collections import Counter
from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

class Refused(ValueError):
    """The bytes are not what they are said to be."""
def need(holds, why):  # Returns nothing, so that `need(..) or x` is x.
    if not holds:
        raise Refused(why)
unhex = bytes.fromhex
def derive(context, material):
    return blake3(material, derive_key_context="crosscast " + context + " v1").digest()

# Strict Ed25519: canonical A and R, neither of small order, S below the order, and the equation without cofactor.
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
def verify(key, domain, body, signature):
    plain_verify(key, b"crosscast/1 " + domain.encode() + b"\0" + body, signature)
def plain_verify(key, over, signature):
    need(len(signature) == 64 and int.from_bytes(signature[32:], "little") < ORDER, "bad signature: S")
    for point in (key, signature[:32]):
        y = int.from_bytes(point, "little") % 2**255
        need(y < P and y not in (0, 1, P - 1, Y8, P - Y8), "bad signature: point")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, over)
    except InvalidSignature:
        raise Refused("bad signature") from None

# Canonical CBOR: the value at `at`, and where it ends.
def decode(data, at=0, depth=0):
    need(at < len(data), "truncated")
    major, info = data[at] >> 5, data[at] & 31
    if major == 7:
        need(info in (20, 21), "float, null or simple value")
        return info == 21, at + 1
    need(major != 6 and info < 28, "tag, reserved head or indefinite length")
    extra = 0 if info < 24 else 1 << (info - 24)
    number = info if info < 24 else int.from_bytes(data[at + 1:at + 1 + extra], "big")
    at += 1 + extra
    need(at <= len(data), "truncated")
    need(info < 24 or number >= (24 if extra == 1 else 1 << (4 * extra)), "not the shortest form")
    if major < 2:
        return (number, -1 - number)[major], at
    need(number <= len(data) - at, "truncated")
    if major < 4:
        part = data[at:at + number]
        return (part if major == 2 else part.decode()), at + number  # A UnicodeDecodeError is a ValueError.
    need(depth < 4, "nested too deep")
    items = []
    for _ in range(number if major == 4 else 2 * number):
        value, at = decode(data, at, depth + 1)
        items.append(value)
    if major == 4:
        return items, at
    keys = items[::2]
    need(all(type(key) is int and key > last for key, last in zip(keys, [-1] + keys)), "keys are not ascending numbers")
    return dict(zip(keys, items[1::2])), at
def whole(data):
    value, end = decode(data)
    return need(end == len(data), "trailing bytes") or value

# Types of values: each checks one and returns it as it stands in the vectors (byte strings in hexadecimal).
def typed(kind, legal, shown=lambda value: value):
    def check(value):
        return need(type(value) is kind and legal(value), f"not a legal {kind.__name__}") or shown(value)
    return check
N = lambda least=0, most=2**64 - 1: typed(int, lambda v: least <= v <= most)
B = lambda least, most=None: typed(bytes, lambda v: least <= len(v) <= (most or least), bytes.hex)
T = lambda most, control=("Cc",): typed(str, lambda v: 1 <= len(v.encode()) <= most and not any(
    unicodedata.category(c) in control for c in v))
def A(least, most, item, ascending_by=None):
    def rises(values):
        keys = [ascending_by(v) for v in values] if ascending_by else []
        return need(all(a < b for a, b in zip(keys, keys[1:])), "not strictly ascending") or values
    return typed(list, lambda v: least <= len(v) <= most, lambda v: rises([item(part) for part in v]))
def R(*types):  # An array with one value of each type.
    return lambda row: [check(part) for check, part in zip(types, A(len(types), len(types), AS_IS)(row))]
U, ONE, SOME, B32, AS_IS = N(), N(1, 1), N(1), B(32), lambda v: v
ADDRESS, LABEL, ROLES = ("Cc", "Zs", "Zl", "Zp"), T(128, ()), lambda v: U(v) & 7
ATTESTATIONS, AGENT = A(1, 4, B(1, 256)), typed(str, lambda v: re.fullmatch("[ -~]{1,64}", v))
def fields(pairs, schema):
    """Reads a map whose keys are 0, 1, 2 and so on: `schema` has their names (? when one may be absent) and types."""
    need(type(pairs) is dict, "not a map")
    names, *types = schema
    need(all(key > 127 or key < len(types) for key in pairs), "unknown critical key")
    need(all(key in pairs or name.endswith("?") for key, name in enumerate(names.split())), "a key is missing")
    known = enumerate(zip(names.split(), types))
    return {name.rstrip("?"): check(pairs[key]) for key, (name, check) in known if key in pairs}
HEADER = ("version kind to from instance seq time expires class order deps? chain? recipients? codec count "
          "payload_length payload_hash", ONE, N(0, 1), B32, B32, U, SOME, U, U, N(0, 4), N(0, 2),
          A(1, 16, B32, AS_IS), B32, A(1, 32, B32, AS_IS), N(1, 4), N(1, 256), N(0, 262144), B32)
CAPABILITY = ("version group subject rights not_before not_after epoch rate_class depth_left issuer invite?",
              ONE, B32, B32, N(1, 127), U, U, U, N(0, 7), N(0, 2), B32, B32)
FLOOR = ("version group number issued valid_until policy lowest_epoch revoked? content_key? signer?",
         ONE, B32, SOME, U, U, N(0, 2), U, A(1, 32, B32, AS_IS), B(8), B32)
PEER_RECORD = ("version node number issued valid_until locators? roles prekey? attestations?",
               ONE, B32, SOME, U, U, A(1, 16, T(256, ADDRESS)), ROLES, B32, ATTESTATIONS)
SERVICE = ("version service number issued valid_until nodes prekey name?",
           ONE, B32, SOME, U, U, A(1, 8, B32, AS_IS), B32, T(64))
SUCCESSOR = ("version old new issued consent", ONE, B32, B32, U, B(64))
ATTESTATION = ("version network key node not_before not_after", ONE, N(2, 3), B32, B32, U, U)
INTRODUCTION = ("node host_key? attestation?", B32, B32, B(1, 256))
LOCATE = ("version target from prekey time nonce", ONE, B32, B32, B32, U, B(16))
HELLO = ("node min_version max_version nonce features max_message_bytes credit roles instance wall_clock agent "
         "peer_record? overlay? attestations? prekey name?", B32, SOME, SOME, B32, lambda v: U(v) & 1,
         lambda v: max(U(v), 65536), A(3, 3, U), ROLES, U, U, AGENT, SOME,
         A(1, 8, T(64, ADDRESS)), ATTESTATIONS, B32, T(64))
HOP = ("tree hops age via? remaining? trail?", N(0, 255), N(0, 255), N(0, 2**32 - 1), A(1, 4, B32), N(0, 2**32 - 1),
       N(1, 2**32 - 1))
META = ("content_type? topic? correlation? reply_to? entry_key?", LABEL, LABEL, B(1, 64), B32, B(16))
MANIFEST = ("total_length part_length parts content_type?", U, N(1, 262144), A(1, 4096, B32), LABEL)

def signed(data, longest, schema, domain, *signer, life=("issued", "valid_until")):  # By the first key that is there.
    need(type(data) is bytes and 64 <= len(data) <= longest, "not an object of a possible length")
    read = fields(whole(data[:-64]), schema)
    need(life[0] not in read or life[1] not in read or read[life[0]] < read[life[1]], "life")
    return verify(unhex(next(read[s] for s in signer if s in read)), domain, data[:-64], data[-64:]) or read
def capability(data):
    read = signed(data, 512, CAPABILITY, "capability", "issuer", life=("not_before", "not_after"))
    serial = derive("capability serial", data[:-64]).hex()
    tags = [derive("revoked " + word, unhex(read[word])).hex() for word in ("subject", "invite") if word in read]
    return {**read, "serial": serial, "revocation_ids": [serial] + tags}
def chain(links):
    links = A(1, 3, capability)(links)
    need(links[0]["issuer"] == links[0]["group"], "root")
    for up, low in zip(links, links[1:]):
        need(low["group"] == up["group"] and low["issuer"] == up["subject"], "group or issuer")
        need(up["rights"] & 24 or not (low["depth_left"] or low["rights"] & ~71), "may not issue")
        need(not low["rights"] & ~up["rights"] and low["depth_left"] < up["depth_left"], "rights or depth")
        need(low["epoch"] >= up["epoch"] and low["rate_class"] <= up["rate_class"], "epoch or rate class")
        need(up["not_before"] <= low["not_before"] and low["not_after"] <= up["not_after"], "life")
    serials = [link["serial"] for link in links]
    return {"group": links[0]["group"], "subject": links[-1]["subject"], "serials": serials,
            "hash": derive("chain", unhex("".join(serials))).hex()}
def floor(data):
    read = signed(data, 2048, FLOOR, "floor", "signer", "group")
    return need(read.get("signer") != read["group"], "signer") or read
def successor(data):
    read = signed(data, 512, SUCCESSOR, "successor", "old")
    over = unhex(read["old"] + read["new"]) + read["issued"].to_bytes(8, "big")
    verify(unhex(read["new"]), "successor", over, unhex(read["consent"]))
    return need(read["old"] != read["new"], "a key as its own successor") or read
def attestation(data, node, now):
    need(128 <= len(data) <= 256, "length")
    read, over = fields(whole(data[:-128]), ATTESTATION), b"crosscast/1 attestation\0" + data[:-128]
    need(0 < read["not_after"] - read["not_before"] <= 400 * 86400000, "life")
    need(read["node"] == node, "foreign")
    need(read["not_before"] - 120000 <= now <= read["not_after"] + 120000, "expired")
    cjdns = read["network"] == 3
    plain_verify(unhex(read["key"]), blake3(over).hexdigest().encode() if cjdns else over, data[-128:-64])
    verify(unhex(node), "attestation", data[:-64], data[-64:])
    y = int.from_bytes(unhex(read["key"]), "little") % 2**255  # Montgomery's u = (1 + y) / (1 - y).
    u = (1 + y) * pow(1 - y, -1, P) % P
    return {**read, "host_key": u.to_bytes(32, "little").hex() if cjdns else read["key"]}
def locate(data):
    return {**signed(data, 512, LOCATE, "locate", "from"), "id": derive("request", data[:-64]).hex()}
REQUEST = ("version group node prekey time nonce purpose name? invite? proof? chain? successor?",
           ONE, B32, B32, B32, U, B(16), N(0, 2), T(64), B32, B(64), chain, successor)
def join_request(data):
    read = signed(data, 3072, REQUEST, "join-request", "node")
    need(("invite" in read) == ("proof" in read) and ("chain" in read or not read["purpose"]), "proof or chain missing")
    need(read.get("chain", read)["group"] == read["group"], "the chain's group")
    need(read.get("successor", {"new": read["node"]})["new"] == read["node"], "somebody else's successor")
    if "invite" in read:
        over = unhex(read["group"] + read["node"] + read["prekey"]) + read["time"].to_bytes(8, "big")
        verify(unhex(read["invite"]), "invite", over + unhex(read["nonce"]), unhex(read["proof"]))
    return {**read, "id": derive("request", data[:-64]).hex()}
GRANT = ("version group request? chain? content_keys? floor floor_chain? refusal? name?",
         ONE, B32, B32, chain, A(1, 4, B32), floor, chain, N(1, 5), T(64))
def grant(data):
    need(len(data) <= 8192, "too long")
    read = fields(whole(data), GRANT)
    parts = [read[part]["group"] for part in ("chain", "floor", "floor_chain") if part in read]
    return need(set(parts) == {read["group"]}, "group") or read
def hello(data):
    need(len(data) <= 4096, "too long")
    read = fields(whole(data), HELLO)
    return need(read["min_version"] <= read["max_version"], "versions") or read
def introduction(data):
    need(len(data) <= 512, "too long")
    read = fields(whole(data), INTRODUCTION)
    return need("attestation" not in read or "host_key" in read, "an attestation without a host key") or read

def header(data):
    pairs, end = decode(data)
    read = {**fields(pairs, HEADER), "id": derive("message id", data[:end]).hex()}
    need(0 <= read["expires"] - read["time"] <= 30 * 86400000, "life")
    return read, data[:end], data[end:]
def message(data):
    read, head, rest = header(data)
    need(len(head) + 64 <= 8192 and len(rest) == 64 + read["payload_length"], "length")
    verify(unhex(read["from"]), "message", head, rest[:64])
    need(blake3(rest[64:]).hexdigest() == read["payload_hash"], "payload hash")
    at, associated = {0xb8: 2, 0xb9: 3}.get(head[0], 1), b""  # What is in the map but for keys 15 and 16.
    while at < len(head):
        start, (key, value_at) = at, decode(head, at)
        at = decode(head, value_at)[1]
        associated += b"" if key in (15, 16) else head[start:at]
    return {**read, "associated_data": associated.hex()}
CLAIMS = "version a signature_a b signature_b", ONE, B(1, 8128), B(64), B(1, 8128), B(64)
def equivocation(data):
    need(len(data) <= 17280, "too long")
    read, found = fields(whole(data), CLAIMS), []
    for name in ("a", "b"):
        claim, head, rest = header(unhex(read[name]))
        need(not rest, "trailing bytes")
        verify(unhex(claim["from"]), "message", head, unhex(read["signature_" + name]))
        found.append([claim[key] for key in ("from", "kind", "to", "instance", "seq", "id")])
    need(found[0][:5] == found[1][:5] and found[0][5] < found[1][5], "both may stand, or order")
    return {"version": 1, **dict(zip("from kind to instance seq".split(), found[0])), "ids": [f[5] for f in found]}
def nested(data):
    return need(header(data)[0]["codec"] != 2, "nested too deep") or message(data)

def entries(data, count):
    value = A(2, 3, AS_IS)(whole(data))
    lengths, metas = A(count, count, N(0, 65536))(value[0]), [{}] * count
    ends = [sum(lengths[:i]) for i in range(count + 1)]
    B(ends[-1], ends[-1])(value[-1])
    if len(value) == 3:
        metas = A(count, count, lambda row: fields(row, META))(value[1])
        need(any(value[1]), "metadata without any")
    return {"entries": [{"payload": value[-1][ends[i]:ends[i + 1]].hex(), **meta} for i, meta in enumerate(metas)]}
def manifest(data):
    read = fields(whole(data), MANIFEST)
    return need(-(-read["total_length"] // read["part_length"]) == len(read["parts"]), "parts") or read
def sealed(data, wraps):
    row = R(N(1, 2), B(8), B(24), B(16, 262144), *([A(wraps, wraps, B(1, 160))] if wraps else []))
    return dict(zip("suite key_id nonce ciphertext wraps".split(), row(whole(data))))
def plaintext(data, padded):
    need(len(data) >= 5 and data[0] in (1, 2, 3), "inner codec")
    length = 5 + int.from_bytes(data[1:5], "big")
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length()) if padded else 1  # Padmé
    need(len(data) == -(-length // step) * step and not any(data[length:]), "padding")
    return {"codec": data[0], "payload": data[5:length].hex()}
def payload(read, data):
    wraps = len(read.get("recipients", [])) or (1 if read["kind"] == 0 else 0)
    readers = {1: lambda: entries(data, read["count"]), 2: lambda: nested(data), 3: lambda: manifest(data)}
    return readers.get(read["codec"], lambda: sealed(data, wraps))()
def of(*schema):
    return lambda data: fields(whole(data), schema)
def hop_and_message(data):
    pairs, end = decode(data)
    return {"hop": fields(pairs, HOP), "message": message(data[end:])}
LANE, CODE = N(1, 3), typed(int, lambda v: v in (1, 2, 3, 4, 5, 6, 7, 9))
TYPES = {  # Type: word, longest body, reader.
    1: ("hello", 4096, hello), 2: ("proof", 1024, lambda b: {"signature": R(B(64))(whole(b))[0]}),
    3: ("close", 1024, of("code retry_after? text?", CODE, lambda v: min(SOME(v), 3600000), T(128))),
    4: ("ping", 1024, of("token", U)), 5: ("pong", 1024, of("token", U)),
    6: ("credit", 1024, of("lane total", LANE, U)),
    7: ("ack", 1024, lambda b: {"counts": A(1, 3, R(LANE, U), lambda pair: pair[0])(whole(b))}),
    8: ("chain", 1546, lambda b: chain(whole(b))), 9: ("floor", 4618, of("floor chain?", floor, chain)),
    10: ("subscribe", 1024, of("group on chain?", B32, typed(bool, lambda v: True), B32)),
    11: ("resume", 36864, of("group windows more?", B32, A(0, 512, R(B32, U, U), lambda w: w[:2]), typed(bool, AS_IS))),
    12: ("refuse", 1024, of("lane number code", LANE, SOME, lambda v: v if U(v) <= 9 else 0)),
    13: ("ask", 4096, of("hops request", N(0, 255), join_request)),
    14: ("locate", 1536, of("hops locate", N(0, 255), locate)),
    15: ("equivocation", 18304, of("equivocation", equivocation)),
    16: ("message", 278528, hop_and_message)}

def frame(kind, lane, data):
    if kind >= 128:
        return {"skipped": True}
    word, longest, read = TYPES.get(kind, ("unknown", -1, None))
    need(len(data) <= longest, "unknown type, or too long")
    found = read(data)
    need(lane == ([0, 1, 2, 3, 1][found["message"]["class"]] if word == "message" else 0), "lane")
    return found
def stream(data):
    at, begun, frames = 0, {}, []
    while at + 5 <= len(data):
        length, kind, lane = int.from_bytes(data[at:at + 3], "big"), data[at + 3], data[at + 4]
        need(length <= 16384 and not lane & 0x7c, "fragment length or lane byte")
        if at + 5 + length > len(data):
            break
        more, lane, body = lane >> 7, lane & 3, data[at + 5:at + 5 + length]
        started, before = begun.pop(lane, (kind, b""))
        need(started == kind and (length or not (more or before)), "fragment of another type, or empty")
        need(len(before) + length <= 278528, "frame too long")
        begun[lane] = (kind, before + body)
        if not more:
            frames.append({"type": kind, "lane": lane, "body": begun.pop(lane)[1].hex()})
        at += 5 + length
    return {"frames": frames}

def key_text(data):
    need(re.fullmatch(rb"c[ngs][a-z2-7]{56}", data), "not a key")
    raw = base64.b32decode(data[2:].upper())
    need(derive("key text", data[:2] + raw[:32])[:3] == raw[32:], "checksum")
    return {"kind": data[:2].decode(), "key": raw[:32].hex()}
TICKET = ("group name floor invite? content_key? allows locators? invite_chain? invite_until?", B32, T(64), floor, B32,
          B32, N(0, 127), A(1, 8, T(256, ADDRESS)), lambda v: B(1, 1546)(v) and chain(whole(v)), U)
def ticket(data):
    need(re.fullmatch(rb"cct1\.[A-Za-z0-9_-]{6,5462}", data) and len(data) % 4 != 2, "not a ticket")
    raw = base64.urlsafe_b64decode(data[5:] + b"=" * (-len(data[5:]) % 4))
    need(base64.urlsafe_b64encode(raw).rstrip(b"=") == data[5:] and len(raw) <= 4096, "base64 or length")
    need(derive("ticket", raw[:-4])[:4] == raw[-4:], "checksum")
    read = fields(whole(raw[:-4]), TICKET)
    sealed_by = derive("content key id", unhex(read.get("content_key", "")))[:8].hex()
    need(read["floor"]["group"] == read["group"], "group")
    if "invite_chain" in read:
        need("invite" in read, "a chain without an invite")
        own = Ed25519PrivateKey.from_private_bytes(unhex(read["invite"])).public_key().public_bytes_raw().hex()
        need((read["group"], own) == (read["invite_chain"]["group"], read["invite_chain"]["subject"]), "invite chain")
    return need("content_key" not in read or sealed_by == read["floor"].get("content_key"), "content key") or read

def proof(data, dialler, listener, scheme, by_listener, binding):
    bodies, scheme, binding = [unhex(dialler), unhex(listener)], scheme.encode(), unhex(binding)
    own, peer = [unhex(hello(body)["node"]) for body in (bodies[::-1] if by_listener else bodies)]
    transcript = derive("hello", b"".join(blake3(body).digest() for body in bodies))
    over = bytes([len(scheme)]) + scheme + bytes([by_listener, len(binding)]) + binding + own + peer + transcript
    return verify(own, "hello", over, data) or {"transcript": transcript.hex(), "signed": over.hex()}
KINDS = {  # Kind: reader, and which parts of the context it takes behind the bytes.
    "key-text": (key_text,), "ticket": (ticket,), "message": (message,), "nested": (nested,),
    "manifest": (manifest,), "capability": (capability,), "floor": (floor,), "successor": (successor,),
    "peer-record": (lambda b: signed(b, 1024, PEER_RECORD, "peer-record", "node"),),
    "service-record": (lambda b: signed(b, 1024, SERVICE, "service-record", "service"),),
    "attestation": (attestation, "node", "now"), "join-request": (join_request,), "locate": (locate,), "equivocation": (equivocation,), "grant": (grant,),
    "hello": (hello,), "introduction": (introduction,), "stream": (stream,), "cbor": (lambda b: whole(b) and {} or {},),
    "header": (lambda b: need(not header(b)[2], "trailing bytes") or header(b)[0],),
    "chain": (lambda b: chain(whole(b)),), "message-id": (lambda b: {"id": header(b)[0]["id"]},),
    "entries": (entries, "count"), "sealed": (sealed, "wraps"), "plaintext": (plaintext, "padded"),
    "frame": (lambda b, kind, lane: frame(kind, lane, b), "type", "lane"),
    "derive": (lambda b, context: {"hash": blake3(b, derive_key_context=context).hexdigest()}, "context"),
    "short-id": (lambda b, k: {"short_id": derive("short id", unhex(k) + b)[:8].hex()}, "link_key"),
    "signature": (lambda b, k, d, o: verify(unhex(k), d, unhex(o), b) or {}, "key", "domain", "body"),
    "proof": (proof, "dialler", "listener", "scheme", "by_listener", "binding")}

def run_vectors(directory):
    counts = Counter()
    for path in sorted(pathlib.Path(directory).glob("*.json")):
        for vector in json.loads(path.read_text()):
            try:
                read, *wanted = KINDS[vector["kind"]]
                found = read(unhex(vector["bytes"]), *[vector["context"][name] for name in wanted])
            except ValueError as refusal:
                found = refusal
            holds = found == vector["fields"] if vector["valid"] else isinstance(found, ValueError)
            counts[holds] += 1
            if not holds:
                print(f"{path.name}: {vector['name']}: found {found!r}", file=sys.stderr)
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] or not counts[True] else 0
def run_stream(path):
    counts, refused = Counter(), 0
    try:
        for raw in stream(pathlib.Path(path).read_bytes())["frames"]:
            word, body = TYPES.get(raw["type"], ("skipped",))[0], unhex(raw["body"])
            read = frame(raw["type"], raw["lane"], body)
            if word == "message":
                payload(read["message"], body[len(body) - read["message"]["payload_length"]:])
            counts[word] += 1
    except ValueError as refusal:
        refused = print(f"refused behind {dict(counts)}: {refusal}", file=sys.stderr) or 1
    for word, count in sorted(counts.items()):
        print(f"{word} {count}")
    print(f"{sum(counts.values())} frames verified, {refused} refused")
    return 1 if refused or not counts else 0

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("vectors", "stream"):
        sys.exit(__doc__)
    sys.exit({"vectors": run_vectors, "stream": run_stream}[sys.argv[1]](sys.argv[2]))
