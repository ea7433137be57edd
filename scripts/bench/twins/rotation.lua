#!lua name=twin_rotation
-- rotate_pg and rotate_ud by hand: the measure for what the compiler costs. Same keys, checks and replies as the compiled
-- ones; written as one would write Lua for Redis, flat and with local aliases.

local function load()
  local call, try = redis.call, redis.pcall
  local find, sub, gsub, upper = string.find, string.sub, string.gsub, string.upper
  local type, tonumber, tostring, pcall, xpcall = type, tonumber, tostring, pcall, xpcall
  local unpack, floor, error = unpack, math.floor, error

  local NAMES = { "1MINUTE", "5MINUTES", "10MINUTES", "1HOUR", "3HOURS" }
  local LENGTHS = { 60000, 300000, 600000, 3600000, 10800000 }
  local KEEPS = { 3600000, 1800000, 3600000, 86400000, 604800000 }
  local TIERS = { ["5MINUTES"] = 2, ["10MINUTES"] = 3, ["1HOUR"] = 4, ["3HOURS"] = 5 }
  local ALL_DIMENSIONS = { "W", "S", "P", "A", "V", "PC" }
  local KNOWN_DIMENSIONS = { W = true, S = true, P = true, A = true, V = true, PC = true }
  local ALL_TIERS = { 2, 3, 4, 5 }
  local COARSEST, DAY_MS, POINTS, UNMERGED_KEEP_MS, SLACK_MS = 5, 86400000, 128, 691200000, 60000
  local UNMERGED_KEEP = "691200000"
  local MAX_WINDOWS, MAX_EXAMINED, MAX_SLICE = 200, 1200, 1000

  -- The running call: partition in braces, clock, days that points are kept, and what may still be done.
  local part, now, fine_days, coarse_days = "", 0, 30, 400
  local left, windows_left, windows, merged, blocked, backfill = 0, 0, 0, 0, false, nil

  local function fail(message) error({ err = message }) end

  local function quote(value)
    local shown = gsub(sub(value, 1, 64), "%c", "?")
    if #value > 64 then return "'" .. shown .. "...'" end
    return "'" .. shown .. "'"
  end

  local function require_type(name, expected)
    local found = call("TYPE", name).ok
    if found ~= expected and found ~= "none" then
      fail("CONFLICT " .. name .. " holds a " .. found .. ", not a " .. expected)
    end
  end

  local function is_log_log(name)
    local magic = try("GETRANGE", name, "0", "3")
    if magic == "HYLL" then return true end
    if magic ~= "" then fail("CONFLICT " .. name .. " holds something that is no HyperLogLog") end
    return false
  end

  local function pending_of(tier, dimension, metric)
    return "SS:" .. NAMES[tier] .. ".PENDING:" .. dimension .. ":" .. part .. "::" .. metric
  end

  local function open_devices_of(tier, dimension, start)
    return "S:" .. NAMES[tier] .. ".OPEN:" .. dimension .. ":" .. part .. ":" .. start .. ":UD"
  end

  local function life_of(tier, start) return start + LENGTHS[tier] + KEEPS[tier] - now end

  -- A slice's preparation; where something was done already, an error ends the call and not its work.
  local function prepared(prepare, a, b, c, d)
    if merged == 0 and windows == 0 then return prepare(a, b, c, d) end
    local ok, slice, rest = pcall(prepare, a, b, c, d)
    if ok then return slice, rest end
    blocked = true
  end

  -- The hash and position of a window's point, and the life of the hash.
  local function point_of(tier, dimension, start, metric)
    local chunk_ms = POINTS * LENGTHS[tier]
    local chunk = start - start % chunk_ms
    local days = tier <= 3 and fine_days or coarse_days
    local head = "H:" .. NAMES[tier] .. ".SERIES:" .. dimension .. ":" .. part
    return head, ":" .. chunk .. ":" .. metric, "" .. (start - chunk) / LENGTHS[tier], chunk + chunk_ms + days * DAY_MS - now
  end

  local function read_point(name, position)
    local value = try("HGET", name, position)
    if type(value) == "table" then fail("CONFLICT " .. name .. " holds something that is no hash") end
    return value and tonumber(value) or 0
  end

  -- Page views

  local function prepare_views(target, above, open, done)
    local minutes = target.tier == 2
    local source_type = minutes and "hash" or "zset"
    require_type(open, source_type)
    require_type(done, source_type)
    require_type(above, "zset")
    local count = left > MAX_SLICE and MAX_SLICE or left
    if not minutes then
      local all = call("ZCARD", open) <= count
      return call("ZRANGE", open, "0", "" .. count - 1, "WITHSCORES"), all
    end
    local all = call("HLEN", open) <= count
    local flat = all and call("HGETALL", open) or call("HRANDFIELD", open, "" .. count, "WITHVALUES")
    return flat, all
  end

  local function announce_window(target, metric)
    if target.tier == COARSEST then return end
    local length = LENGTHS[target.tier + 1]
    local parent = "" .. target.start - target.start % length
    call("ZADD", pending_of(target.tier + 1, target.dimension, metric), parent, parent)
  end

  local function add_views(target, above, flat)
    local tier, start = target.tier, target.start
    local life = tier == COARSEST and life_of(tier, start) or UNMERGED_KEEP_MS
    local head, tail, position, point_life = point_of(tier, target.dimension, start, "PG")
    local has_points = tier == 2 and point_life > 0
    local point_keep = "" .. point_life
    for at = 1, #flat, 2 do
      local id, views = flat[at], flat[at + 1]
      if has_points then
        local point = head .. id .. tail
        local added = try("HINCRBY", point, position, views)
        if type(added) ~= "number" then return at - 1 end
        call("PEXPIRE", point, point_keep)
      end
      if life > 0 then call("ZINCRBY", above, views, id) end
    end
    if life > 0 then call("PEXPIRE", above, "" .. life + SLACK_MS) end
    return #flat
  end

  local function settle(minutes, open, done, flat, all, life)
    if all and life > 0 and call("EXISTS", done) == 0 then
      call("RENAME", open, done)
    else
      if life > 0 then
        for at = 1, #flat, 2 do
          if minutes then call("HINCRBY", done, flat[at], flat[at + 1]) else call("ZINCRBY", done, flat[at + 1], flat[at]) end
        end
      end
      if all then
        call("UNLINK", open)
      else
        local ids = {}
        for at = 1, #flat, 2 do ids[#ids + 1] = flat[at] end
        call(minutes and "HDEL" or "ZREM", open, unpack(ids))
      end
    end
    if life > 0 then call("PEXPIRE", done, "" .. life + SLACK_MS) end
  end

  local function merge_views(target)
    local tier, dimension, start = target.tier, target.dimension, target.start
    local source, minutes = tier - 1, tier == 2
    local source_ms = LENGTHS[source]
    local above = "SS:" .. NAMES[tier] .. (tier == COARSEST and ":" or ".OPEN:") .. dimension .. ":" .. part .. ":" .. start .. ":PG"
    local letter = (minutes and "H:" or "SS:") .. NAMES[source]
    for source_start = start, start + LENGTHS[tier] - source_ms, source_ms do
      local tail = dimension .. ":" .. part .. ":" .. source_start .. ":PG"
      local open, done = letter .. ".OPEN:" .. tail, letter .. ":" .. tail
      while call("EXISTS", open) == 1 do
        if left <= 0 then return false end
        local flat, all = prepared(prepare_views, target, above, open, done)
        if not flat then return false end
        announce_window(target, "PG")
        if add_views(target, above, flat) < #flat then fail("CONFLICT a point is no hash") end
        settle(minutes, open, done, flat, all, life_of(source, source_start))
        left = left - #flat / 2
        merged = merged + #flat / 2
      end
    end
    return true
  end

  -- Unique devices

  -- Merges one id; an error leaves it as it was.
  local function merge_id(plan, id)
    local tails, keeps, sources = plan.tails, plan.keeps, {}
    local prefix = plan.source_head .. id
    for index = 1, #tails do sources[index] = prefix .. tails[index] end
    local existing = call("EXISTS", unpack(sources))
    if existing == 0 then return end
    local own = plan.own_head .. id .. plan.own_tail
    local point = plan.point_head .. id .. plan.point_tail
    local before = read_point(point, plan.position)
    local copied = false
    if existing == 1 then
      for index = 1, #sources do
        if is_log_log(sources[index]) then copied = call("COPY", sources[index], own) == 1 break end
      end
    end
    if not copied then
      local united = try("PFMERGE", own, unpack(sources))
      if united.err then
        for index = 1, #sources do is_log_log(sources[index]) end
        is_log_log(own)
        error(united)
      end
    end
    for index = 1, #sources do call("PEXPIRE", sources[index], keeps[index]) end
    local devices = call("PFCOUNT", own)
    if devices > before and plan.point_keep then
      call("HSET", point, plan.position, "" .. devices)
      call("PEXPIRE", point, plan.point_keep)
    end
    call("PEXPIRE", own, plan.keep)
  end

  local function plan_devices(target)
    local tier, dimension, start = target.tier, target.dimension, target.start
    local source, head = tier - 1, ":" .. dimension .. ":" .. part
    local point_head, point_tail, position, point_life = point_of(tier, dimension, start, "UD")
    local life = tier == COARSEST and life_of(tier, start) or UNMERGED_KEEP_MS
    local tails, keeps = {}, {}
    for source_start = start, start + LENGTHS[tier] - LENGTHS[source], LENGTHS[source] do
      local source_life = life_of(source, source_start)
      tails[#tails + 1] = ":" .. source_start .. ":UD"
      keeps[#keeps + 1] = source_life > 0 and "" .. source_life + SLACK_MS or "1"
    end
    return {
      source_head = "HLL:" .. NAMES[source] .. head, own_head = "HLL:" .. NAMES[tier] .. head, own_tail = ":" .. start .. ":UD",
      tails = tails, keeps = keeps, keep = life > 0 and "" .. life + SLACK_MS or "1",
      point_head = point_head, point_tail = point_tail, position = position,
      point_keep = point_life > 0 and "" .. point_life or nil,
    }
  end

  local function check_devices(open, above)
    require_type(open, "set")
    if above then require_type(above, "set") end
    return true
  end

  local function merge_devices(target)
    local tier, dimension, start = target.tier, target.dimension, target.start
    local open = open_devices_of(tier, dimension, start)
    local above = tier < COARSEST and open_devices_of(tier + 1, dimension, start - start % LENGTHS[tier + 1])
    if not prepared(check_devices, open, above) then return false end
    local plan = plan_devices(target)
    while call("EXISTS", open) == 1 do
      if left <= 0 then return false end
      local ids = call("SRANDMEMBER", open, "" .. (left > MAX_SLICE and MAX_SLICE or left))
      local finished = 0
      for at = 1, #ids do
        if merged == 0 and windows == 0 then
          merge_id(plan, ids[at])
        elseif not pcall(merge_id, plan, ids[at]) then
          blocked = true
          break
        end
        finished, merged = at, merged + 1
      end
      if finished == 0 then return false end
      if above then
        call("SADD", above, unpack(ids, 1, finished))
        call("PEXPIRE", above, UNMERGED_KEEP)
        announce_window(target, "UD")
      end
      call("SREM", open, unpack(ids, 1, finished))
      left = left - finished
      if blocked then return false end
    end
    return true
  end

  -- Windows

  local function is_waiting(target, metric)
    if target.tier == 2 then return false end
    local last = target.start + LENGTHS[target.tier]
    return call("ZCOUNT", pending_of(target.tier - 1, target.dimension, metric), "" .. target.start, "(" .. last) > 0
  end

  -- Up to where the slowest back-fill in progress has come.
  local function slowest_backfill()
    local name = "H:BACKFILL::" .. part .. "::"
    local flat = try("HGETALL", name)
    if flat.err then fail("CONFLICT " .. name .. " holds something that is no hash") end
    if #flat == 0 then return nil end
    local time, slowest = call("TIME"), nil
    local server_now = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
    for at = 2, #flat, 2 do
      local clock_ms, deadline = string.match(flat[at], "^(%d+):(%d+)$")
      clock_ms = tonumber(clock_ms)
      if tonumber(deadline) > server_now and (not slowest or clock_ms < slowest) then slowest = clock_ms end
    end
    return slowest
  end

  local function between(pending, count, first, last)
    return call("ZRANGE", pending, first, last, "BYSCORE", "LIMIT", "0", count)
  end

  local function due_windows(tier, dimension, metric)
    local pending, last = pending_of(tier, dimension, metric), "" .. now - LENGTHS[tier]
    local count = "" .. (tier == 2 and MAX_WINDOWS or MAX_EXAMINED)
    if backfill then
      local from = backfill - KEEPS[tier - 1] - LENGTHS[tier] + 1
      local to = now - KEEPS[tier - 1] - LENGTHS[tier - 1]
      if from <= to then
        local due, complete = between(pending, count, "(" .. to, last), between(pending, count, "-inf", "(" .. from)
        for at = 1, #complete do due[#due + 1] = complete[at] end
        return due
      end
    end
    return between(pending, count, "-inf", last)
  end

  local function rotate_dimension(tier, dimension, metric, merge)
    local pending = pending_of(tier, dimension, metric)
    local due = due_windows(tier, dimension, metric)
    local before = windows_left
    for at = 1, #due do
      local target = { tier = tier, dimension = dimension, start = tonumber(due[at]) }
      if not is_waiting(target, metric) then
        if windows_left <= 0 then return true end
        windows_left = windows_left - 1
        if not merge(target) then return true end
        call("ZREM", pending, due[at])
        windows = windows + 1
      end
    end
    return #due >= MAX_WINDOWS and windows_left < before
  end

  local function whole(name, value, min, max, expected)
    local number = #value <= 15 and find(value, "^%-?%d+$") and tonumber(value)
    if not number or number < min or number > max then
      fail("BADARG " .. name .. " must be " .. expected .. ", got " .. quote(value))
    end
    return number
  end

  local OPTIONS = { TIER = true, DIMENSION = true, LIMIT = true, NOW = true }

  local function options(args)
    local given = {}
    for at = 1, #args, 2 do
      local name, value = upper(args[at]), args[at + 1]
      if not OPTIONS[name] then fail("BADARG unknown option " .. quote(args[at])) end
      if given[name] then fail("BADARG " .. name .. " is given twice") end
      if not value then fail("BADARG " .. name .. " has no value") end
      if name == "NOW" then given.NOW = whole(name, value, 0, 99999999999999, "a unix time in milliseconds")
      elseif name == "LIMIT" then given.LIMIT = whole(name, value, 1, 10000, "an integer from 1 to 10000")
      else
        given[name] = upper(value)
        if not (name == "TIER" and TIERS or KNOWN_DIMENSIONS)[given[name]] then
          fail("BADARG " .. name .. " must be one of those there are, got " .. quote(value))
        end
      end
    end
    return given
  end

  local function clock(given)
    if given then return given end
    local time = call("TIME")
    return tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
  end

  local function read_state()
    local name = "H:TRACKER::" .. part .. "::"
    local stored = try("HMGET", name, "rotated", "clock", "config:series_fine_days", "config:series_coarse_days")
    if stored.err then fail("CONFLICT " .. name .. " holds something that is no hash") end
    fine_days, coarse_days = tonumber(stored[3] or 30), tonumber(stored[4] or 400)
    return name, tonumber(stored[1] or 0), tonumber(stored[2] or 0)
  end

  local function rotate(args, metric, merge, limit)
    local given = options(args)
    now = clock(given.NOW)
    local state, rotated, latest = read_state()
    backfill = nil
    if metric == "UD" then backfill = slowest_backfill() end
    left, windows_left, windows, merged, blocked = given.LIMIT or limit, MAX_WINDOWS, 0, 0, false
    local tiers = given.TIER and { TIERS[given.TIER] } or ALL_TIERS
    local dimensions = given.DIMENSION and { given.DIMENSION } or ALL_DIMENSIONS
    local lanes, busy = {}, {}
    for at = 1, #tiers do
      for index = 1, #dimensions do
        local tier, dimension = tiers[at], dimensions[index]
        local count = try("ZCARD", pending_of(tier, dimension, metric))
        if type(count) ~= "number" then fail("CONFLICT " .. pending_of(tier, dimension, metric) .. " is no sorted set") end
        if count > 0 or busy[dimension] then
          busy[dimension] = true
          lanes[#lanes + 1] = { tier, dimension }
          if tier < COARSEST then require_type(pending_of(tier + 1, dimension, metric), "zset") end
        end
      end
    end
    local remaining = 0
    for at = 1, #lanes do
      if not blocked and rotate_dimension(lanes[at][1], lanes[at][2], metric, merge) then remaining = 1 end
    end
    if now > latest then call("HSET", state, "clock", "" .. now) end
    local until_ms = now - now % LENGTHS[2]
    if tiers[1] == 2 and until_ms > rotated then call("HSET", state, "rotated", "" .. until_ms) end
    return { "windows", windows, "merged", merged, "remaining", remaining }
  end

  local function route(keys)
    local key = keys[1]
    part = ""
    if not key then return end
    if keys[2] then fail("BADARG at most one routing key, got " .. #keys) end
    local open = find(key, "{", 1, true)
    local close = open and find(key, "}", open + 1, true)
    if close and close > open + 1 then part = sub(key, open, close) end
    if find(part, ":", 1, true) then fail("BADARG the routing key must have no colon in its braces, got " .. quote(key)) end
  end

  local function on_error(raised)
    if type(raised) == "table" and raised.err then return { err = (gsub(raised.err, "^WRONGTYPE ", "CONFLICT ")) } end
    redis.log(redis.LOG_WARNING, tostring(raised))
    return { err = "ERR internal error" }
  end

  local function callback(metric, merge, limit)
    local run_keys, run_args
    local function guarded()
      route(run_keys)
      return rotate(run_args, metric, merge, limit)
    end
    return function(keys, args)
      run_keys, run_args = keys, args
      local _, reply = xpcall(guarded, on_error)
      return reply
    end
  end

  return { views = callback("PG", merge_views, 50), devices = callback("UD", merge_devices, 20) }
end

-- While a library loads, `redis` is the only global there is.
local callbacks

redis.register_function("twin_rotate_pg", function(keys, args)
  callbacks = callbacks or load()
  return callbacks.views(keys, args)
end)

redis.register_function("twin_rotate_ud", function(keys, args)
  callbacks = callbacks or load()
  return callbacks.devices(keys, args)
end)
