#!lua name=floor
-- The least that a function can do to count events: the commands that write views and devices, and what it takes to get at
-- the event and to answer. Nothing is checked, no clock and no state is read, ids come from a table of addresses, nothing is
-- announced to rotation and nothing noted in documents. It shows what of a function's price no code of ours can save.

local function load()
  -- As the compiled libraries do.
  collectgarbage("setstepmul", 50)
  local call, sha1hex, decode, unpack, match = redis.call, redis.sha1hex, cjson.decode, unpack, string.match
  local known = {}

  local function ids_of(url)
    local ids = known[url]
    if ids then return ids end
    local page = match(url, "^https?://([^?#]*)")
    local host, directories = match(page, "^([^/]*)/?(.-)[^/]*$")
    ids = { W = sha1hex(host), S = sha1hex(host .. "/" .. directories), P = sha1hex(page) }
    known[url] = ids
    return ids
  end

  local function open_of(dimension, minute) return "H:1MINUTE.OPEN:" .. dimension .. "::" .. minute .. ":PG" end

  local function devices_of(dimension, id, minute) return "HLL:1MINUTE:" .. dimension .. ":" .. id .. ":" .. minute .. ":UD" end

  local REPLY = { "accepted", 1, "rejected", 0, "late", 0, "errors", {} }

  local function track(_, args)
    local event = decode(args[1])
    local ids = ids_of(event.url)
    local minute = event.dt - event.dt % 60000
    call("HINCRBY", open_of("W", minute), ids.W, "1")
    call("HINCRBY", open_of("S", minute), ids.S, "1")
    call("HINCRBY", open_of("P", minute), ids.P, "1")
    call("PFADD", devices_of("W", ids.W, minute), event.uui)
    call("PFADD", devices_of("S", ids.S, minute), event.uui)
    call("PFADD", devices_of("P", ids.P, minute), event.uui)
    return REPLY
  end

  -- Devices by id, after what is there already.
  local function add(groups, id, devices, count)
    local group = groups[id]
    if not group then
      group = { views = 0 }
      groups[id] = group
    end
    local views = group.views
    for at = 1, count do group[views + at] = devices[at] end
    group.views = views + count
  end

  local function write(dimension, minute, groups)
    local open, before, after = open_of(dimension, minute), "HLL:1MINUTE:" .. dimension .. ":", ":" .. minute .. ":UD"
    for id, group in pairs(groups) do
      local views = group.views
      call("HINCRBY", open, id, views == 1 and "1" or "" .. views)
      call("PFADD", before .. id .. after, unpack(group))
    end
  end

  local function write_minute(minute, pages)
    local websites, sections, by_id = {}, {}, {}
    for ids, page in pairs(pages) do
      add(websites, ids.W, page, page.views)
      add(sections, ids.S, page, page.views)
      by_id[ids.P] = page
    end
    write("W", minute, websites)
    write("S", minute, sections)
    write("P", minute, by_id)
  end

  local function ingest(_, args)
    local cursor = call("GET", "floor") or "0-0"
    local entries = call("XRANGE", "ST:TRACKER::::", "(" .. cursor, "+", "COUNT", args[2])
    local minutes = {}
    for at = 1, #entries do
      local fields = entries[at][2]
      local ids, device, time = ids_of(fields[2]), fields[4], fields[6]
      local minute = time - time % 60000
      local pages = minutes[minute]
      if not pages then
        pages = {}
        minutes[minute] = pages
      end
      local page = pages[ids]
      if page then
        local views = page.views + 1
        page.views, page[views] = views, device
      else
        pages[ids] = { device, views = 1 }
      end
    end
    for minute, pages in pairs(minutes) do write_minute(minute, pages) end
    if #entries > 0 then call("SET", "floor", entries[#entries][1]) end
    return { "read", #entries, "accepted", #entries, "rejected", 0, "late", 0, "remaining", 0 }
  end

  return { track = track, ingest = ingest }
end

-- While a library loads, `redis` is the only global there is.
local functions

redis.register_function("floor_track_events", function(keys, args)
  functions = functions or load()
  return functions.track(keys, args)
end)

redis.register_function("floor_ingest_events", function(keys, args)
  functions = functions or load()
  return functions.ingest(keys, args)
end)
