-- A plan of one queue, by hand: the head of the list that waits if its time has come, or else of the list that is out; leased for
-- 30 minutes. Stands for GigAPI's own script where that is not on the machine. KEYS: prefix, db, table, suffix, layer, writer.
local middle = KEYS[4] == "" and "" or KEYS[4] .. ":"
local queue = KEYS[1] .. ":" .. KEYS[2] .. ":" .. KEYS[3] .. ":" .. middle .. KEYS[5] .. ":" .. KEYS[6]
local now = tonumber(redis.call("TIME")[1])
local out = queue .. ":processing"
for _, list in ipairs({ queue .. ":idle", out }) do
  local head = redis.call("LINDEX", list, 0)
  local plan = head and cjson.decode(head)
  if plan and plan.time_s <= now then
    plan.time_s = now + 1800
    local given = cjson.encode(plan)
    redis.call("LPOP", list)
    redis.call("RPUSH", out, given)
    return given
  end
end
return ""
