// The code of a ticket page that moves: every few seconds the ticket code with another proof behind it (admission/src/moving.rs),
// made on the phone, so that it needs no network, and a screenshot is soon worth nothing. A classic script in old words: where
// this one does not run, the page shows the plain code and says to bring an ID.
//
//   <div class="qr" data-moving="CODE" data-key="HEX" data-step="15000" data-now="SERVER'S CLOCK"><div class="still"><svg>…

(function () {
  "use strict";
  var box = document.querySelector("[data-moving]");
  if (!box || !window.sha256 || !window.qrcode) return;
  var code = box.getAttribute("data-moving"), step = Number(box.getAttribute("data-step"));
  var mac = sha256.hmac(sha256.bytes(box.getAttribute("data-key")));
  var LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", PROOF = 4, STORE = "server-clock", JUMP = 2000;

  // ---------------------------------------------------------------- the server's clock

  // A phone's clock may be wrong, so it only counts from what the server's showed. How far the two are apart is kept: a page
  // that comes from the phone's own store was rendered long ago. One that says an earlier time than it should be is either
  // such a page, or somebody set the clock on: then what is kept holds until the server, if there is one to ask, has said.
  var ahead = 0, before = null, monotonic = window.performance && performance.now;

  function keep(is) {
    ahead = is;
    try { localStorage.setItem(STORE, JSON.stringify({ ahead: is })); return true; } catch (full) { return false; }
  }

  // Both clocks at the moment when the page began to come: its parts may have come long after.
  var timing = monotonic && performance.timing, since = 0;
  if (timing && timing.responseStart) since = performance.now() - (timing.responseStart - timing.navigationStart);
  var rendered = Number(box.getAttribute("data-now")), received = Date.now() - Math.max(since, 0), isNews;
  try { before = JSON.parse(localStorage.getItem(STORE)); } catch (none) { /* Nothing is kept. */ }
  if (before && rendered < received + before.ahead - JUMP) ahead = before.ahead;
  // Where nothing can be kept, nobody knows how old the page is.
  else isNews = keep(rendered - received);

  var wall = Date.now(), counted = monotonic ? performance.now() : 0;

  function now() {
    // A clock that goes less than time does was set back. (More: the phone slept, as it does all the time, or somebody set it
    // forward. The server knows.)
    if (monotonic) {
      var set = (Date.now() - wall) - (performance.now() - counted);
      if (set < -JUMP) keep(ahead - set);
      if (set > JUMP) compare();
      wall = Date.now();
      counted = performance.now();
    }
    return Date.now() + ahead;
  }

  // After a sleep, or when there is a network again, the clocks are compared once more.
  var asking = false, asked = isNews ? Date.now() : 0;
  function compare() {
    if (asking || !window.fetch || Math.abs(Date.now() - asked) < 60000) return;
    asking = true;
    var sent = Date.now();
    fetch(location.pathname, { credentials: "same-origin", cache: "no-store" }).then(function (answer) {
      var received = Date.now();
      return answer.ok && answer.text().then(function (page) {
        var told = page.match(/data-now="(\d+)"/);
        if (told) { keep(Number(told[1]) - (sent + received) / 2); asked = Date.now(); draw(true); }
      });
    }).catch(function () { /* Without a network it goes on as it is. */ }).then(function () { asking = false; });
  }

  // ---------------------------------------------------------------- the code

  function proof(at) {
    var counter = new DataView(new ArrayBuffer(8)), bits = 0, value = 0, text = "";
    counter.setUint32(0, Math.floor(at / 0x100000000));
    counter.setUint32(4, at >>> 0);
    var bytes = mac(new Uint8Array(counter.buffer));
    for (var i = 0; text.length < PROOF; ) {
      if (bits < 5) { value = (value << 8 | bytes[i++]) & 0xffff; bits += 8; }
      bits -= 5;
      text += LETTERS.charAt(value >>> bits & 31);
    }
    return text;
  }

  var still = box.querySelector(".still"), moves = document.createElement("div"), life = document.createElement("div");
  moves.className = "moves";
  moves.appendChild(still.querySelector("svg").cloneNode(true));
  life.className = "life";
  life.setAttribute("aria-hidden", "true");
  life.appendChild(document.createElement("i"));
  box.insertBefore(moves, still.nextSibling);
  box.insertBefore(life, moves.nextSibling);
  var path = moves.querySelectorAll("path")[1], bar = life.firstChild, shown = null;

  // The same size as the code that does not move: the letters behind it fill what is left of that.
  function picture(text) {
    var qr = window.qrcode(6, "M"), size, d = "";
    qr.addData(text, "Alphanumeric");
    qr.make();
    size = qr.getModuleCount();
    for (var y = 0; y < size; y++) {
      for (var x = 0, from; x < size; x++) {
        if (!qr.isDark(y, x)) continue;
        for (from = x; x < size && qr.isDark(y, x); ) x++;
        d += "M" + from + " " + y + "h" + (x - from) + "v1h-" + (x - from) + "z";
      }
    }
    return d;
  }

  function draw(anew) {
    var at = now(), this_step = Math.floor(at / step);
    if (anew || this_step !== shown) {
      shown = this_step;
      path.setAttribute("d", picture(code + proof(shown)));
    }
    bar.style.width = 100 - (at - shown * step) * 100 / step + "%";
  }

  draw(true);
  box.className += " in-motion";
  setInterval(function () { if (document.visibilityState !== "hidden") draw(false); }, 200);
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") return;
    draw(true);
    compare();
  });
  addEventListener("pageshow", function (event) { draw(true); if (event.persisted) compare(); });
  addEventListener("online", compare);
  if (!isNews) compare();
})();
