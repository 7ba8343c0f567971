"""Signs and verifies with the pure-Python package; prints how many pairs a second. Argument: how many pairs."""

import hashlib
import sys
import time

from ecdsa import SECP256k1, SigningKey
from ecdsa.util import sigdecode_der, sigencode_der

PAIRS = int(sys.argv[1])
key = SigningKey.from_string(bytes(range(1, 33)), curve=SECP256k1)
public = key.get_verifying_key()
begun = time.perf_counter()
for number in range(PAIRS):
    text = f"TRANSFER{number}".encode()
    signed = key.sign_deterministic(text, hashfunc=hashlib.sha256, sigencode=sigencode_der)
    if not public.verify(signed, text, hashfunc=hashlib.sha256, sigdecode=sigdecode_der):
        sys.exit("not verified")
print(PAIRS / (time.perf_counter() - begun))
