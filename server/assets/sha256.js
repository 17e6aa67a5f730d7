// SHA-256 and HMAC-SHA256 (FIPS 180-4, RFC 2104), for pages that compute something themselves. The browser's own are there
// on https only, and not in every phone; this is the same on all. Classic scripts and modules find it as `sha256`.
//
//   sha256.of(bytes), sha256.hmac(key)(bytes): Uint8Array       sha256.hex(bytes), sha256.bytes(hex), sha256.utf8(text)

window.sha256 = (function () {
  "use strict";
  var ROOTS = [], START = [];
  // The first 32 bits of the fractional parts of the cube and square roots of the first primes.
  var fraction = function (root) { return (root - Math.floor(root)) * 0x100000000 | 0; };
  for (var n = 2; ROOTS.length < 64; n++) {
    var prime = true;
    for (var m = 2; m * m <= n; m++) if (n % m === 0) prime = false;
    if (!prime) continue;
    if (START.length < 8) START.push(fraction(Math.sqrt(n)));
    ROOTS.push(fraction(Math.pow(n, 1 / 3)));
  }

  var words = new Int32Array(64);
  var turn = function (word, by) { return (word >>> by) | (word << (32 - by)); };

  // Takes the 64 bytes at `at` into `state`.
  function take(state, bytes, at) {
    var i;
    for (i = 0; i < 16; i++, at += 4) {
      words[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (; i < 64; i++) {
      var x = words[i - 15], y = words[i - 2];
      words[i] = (words[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + words[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))) | 0;
    }
    var a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (i = 0; i < 64; i++) {
      var one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROOTS[i] + words[i]) | 0;
      var two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }

  // Goes on from `state`, which has taken `before` bytes.
  function end(state, before, bytes) {
    var whole = bytes.length - bytes.length % 64, at = 0;
    for (; at < whole; at += 64) take(state, bytes, at);
    var rest = new Uint8Array(bytes.length - whole < 56 ? 64 : 128);
    rest.set(bytes.subarray(whole));
    rest[bytes.length - whole] = 0x80;
    var view = new DataView(rest.buffer), length = before + bytes.length;
    view.setUint32(rest.length - 8, Math.floor(length / 0x20000000));
    view.setUint32(rest.length - 4, length << 3);
    for (at = 0; at < rest.length; at += 64) take(state, rest, at);
    var told = new DataView(new ArrayBuffer(32));
    for (at = 0; at < 8; at++) told.setInt32(4 * at, state[at]);
    return new Uint8Array(told.buffer);
  }

  var of = function (bytes) { return end(new Int32Array(START), 0, bytes); };

  // What comes before the text on both sides is computed once for each key.
  function hmac(key) {
    if (key.length > 64) key = of(key);
    var sides = [0x36, 0x5c].map(function (pad) {
      var block = new Uint8Array(64).fill(pad), state = new Int32Array(START);
      for (var at = 0; at < key.length; at++) block[at] ^= key[at];
      take(state, block, 0);
      return state;
    });
    return function (bytes) {
      return end(new Int32Array(sides[1]), 64, end(new Int32Array(sides[0]), 64, bytes));
    };
  }

  return {
    of: of,
    hmac: hmac,
    hex: function (bytes) {
      return Array.prototype.map.call(bytes, function (byte) { return (byte < 16 ? "0" : "") + byte.toString(16); }).join("");
    },
    bytes: function (hex) {
      return new Uint8Array((hex.match(/../g) || []).map(function (pair) { return parseInt(pair, 16); }));
    },
    utf8: function (text) {
      var plain = unescape(encodeURIComponent(text)), bytes = new Uint8Array(plain.length);
      for (var at = 0; at < plain.length; at++) bytes[at] = plain.charCodeAt(at);
      return bytes;
    },
  };
})();
