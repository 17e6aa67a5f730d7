-- Plays the requests of a file again and again. A line is one request, its fields parted by tabs: path, body, then names
-- and values of headers. Requests are made before the clock starts.
local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local field = {}
    for text in line:gmatch("[^\t]+") do field[#field + 1] = text end
    local headers = { ["Content-Type"] = "application/json" }
    for n = 3, #field, 2 do headers[field[n]] = field[n + 1] end
    requests[#requests + 1] = wrk.format("POST", field[1], headers, field[2])
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("\nmeasured %d %d %d %d %d %d\n", summary.requests, summary.duration, errors.status, broken,
    latency:percentile(50), latency:percentile(99)))
end
