"""Computes a published ballot again from its record alone. Written from docs/draws.md, not from the program."""
import hashlib, hmac, json, sys

record = json.load(open(sys.argv[1], encoding="utf-8"))
seed = bytes.fromhex(record["seed"])
assert hashlib.sha256(seed).hexdigest() == record["commitment"], "another seed was committed to"

def key(entry):
    chances = (f"{entry['id']}/{n}".encode() for n in range(entry["weight"]))
    return min(hmac.new(seed, chance, hashlib.sha256).digest() for chance in chances)

order, won, left = sorted(record["entries"], key=key), [], record["quota"]
for floor in record["floors"] + [None]:
    room = left if floor is None else min(left, floor["places"])
    for entry in order:
        theirs = floor is None or entry["union"] == floor["union"]
        if theirs and entry["id"] not in won and entry["places"] <= room:
            won.append(entry["id"])
            room, left = room - entry["places"], left - entry["places"]
lost = [entry["id"] for entry in order if entry["id"] not in won]
assert (won, lost) == (record["won"], record["lost"]), "another result"
print(f"{len(won)} of {len(order)} drawn, as published")
