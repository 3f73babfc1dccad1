-- Checks every response: its status, the exact length of its body, that the plugin's header field
-- reached the upstream (x-seen comes back) and that the response hook added its own (x-gw). The
-- upstream answers an upload with how much of it has come.
-- Arguments: length of the body, file to upload (or nothing), `varied` for heads that all differ.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  bad = 0
  expected = tonumber(arguments[1])
  if arguments[2] and arguments[2] ~= "" then
    local file = io.open(arguments[2], "rb")
    wrk.method = "POST"
    wrk.body = file:read("*a")
    told = string.format("%07d", #wrk.body)
    wrk.headers["content-type"] = "application/octet-stream"
    file:close()
  end
  if arguments[3] == "varied" then
    local number = 0
    request = function()
      number = number + 1
      wrk.headers["x-number"] = number
      return wrk.format(nil, wrk.path .. "?number=" .. number)
    end
  end
end

function response(status, headers, body)
  local seen, gateway
  for name, value in pairs(headers) do
    local lower = name:lower()
    if lower == "x-seen" then seen = value elseif lower == "x-gw" then gateway = value end
  end
  local whole = #body == expected and (told == nil or body == told)
  if status ~= 200 or not whole or seen ~= "1" or gateway ~= "plugbay" then
    bad = bad + 1
  end
end

function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  local errors = summary.errors
  print(string.format("RESULT %d %d %d %d %.1f %.1f", summary.requests, summary.duration, wrong,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
