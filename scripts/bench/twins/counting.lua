#!lua name=twin_counting
-- track_events and ingest_events by hand: the measure for what the compiler costs. Same keys, checks and replies as the
-- compiled ones; written as one would write Lua for Redis, flat and with local aliases.

local function load()
  local call, try, sha1hex = redis.call, redis.pcall, redis.sha1hex
  local decode, encode, null = cjson.decode, cjson.encode, cjson.null
  local find, sub, match, gsub = string.find, string.sub, string.match, string.gsub
  local byte, char, lower, upper = string.byte, string.char, string.lower, string.upper
  local type, tonumber, tostring, pairs, pcall, xpcall = type, tonumber, tostring, pairs, pcall, xpcall
  local unpack, concat, floor, error = unpack, table.concat, math.floor, error

  local MINUTE_MS, PARENT_MS, UNMERGED_KEEP = 60000, 300000, "691200000"
  local MAX_AHEAD_MS, MAX_AGE_MS, MAX_EXACT = 300000, 604800000, 99999999999999
  local DIMENSIONS = { "W", "S", "P", "A", "V", "PC" }
  local DOCUMENTED = { W = true, S = true, P = true }
  local REASONS = {
    json = "json: not a JSON object",
    url = "url: url must be an absolute http(s) address of at most 2048 bytes",
    uui = "uui: uui must be a device id of 1 to 256 bytes",
    dt = "dt: dt must be a unix time in milliseconds",
    future = "future: dt is more than 5 minutes ahead of the clock",
    old = "old: dt is more than 7 days old",
    media = "media: audio, video and podcast must be ids of at most 256 bytes",
    website = "website: the host of url belongs to no configured website",
  }

  -- The partition in braces, and the state hash of the running call.
  local part, state_key = "", "H:TRACKER::::"

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

  local function whole(name, value, min, max, expected)
    local number = value and #value <= 15 and find(value, "^%-?%d+$") and tonumber(value)
    if not number or number < min or number > max then
      fail("BADARG " .. name .. " must be " .. expected .. ", got " .. (value and quote(value) or "nothing"))
    end
    return number
  end

  local function clock(given)
    if given then return given end
    local now = call("TIME")
    return tonumber(now[1]) * 1000 + floor(tonumber(now[2]) / 1000)
  end

  -- Addresses

  -- Where the UTF-8 sequence at `at` ends; nil where there is none.
  local function sequence_end(text, at)
    local first = byte(text, at)
    local more = (first < 0x80 and 0) or (first >= 0xc2 and first <= 0xdf and 1) or (first >= 0xe0 and first <= 0xef and 2)
      or (first >= 0xf0 and first <= 0xf4 and 3)
    if not more then return end
    for offset = 1, more do
      local next = byte(text, at + offset)
      if not next or next < 0x80 or next > 0xbf then return end
      if offset == 1 and ((first == 0xe0 and next < 0xa0) or (first == 0xed and next > 0x9f)
        or (first == 0xf0 and next < 0x90) or (first == 0xf4 and next > 0x8f)) then return end
    end
    return at + more + 1
  end

  local function is_utf8(text)
    local at = 1
    while at and at <= #text do at = sequence_end(text, at) end
    return at ~= nil
  end

  local function unescape(text)
    return (gsub(text, "%%(%x%x)", function(hex) return char(tonumber(hex, 16)) end))
  end

  local function decode_run(run)
    local bytes, parts, at = unescape(run), {}, 1
    while at <= #bytes do
      local last = sequence_end(bytes, at)
      parts[#parts + 1] = last and sub(bytes, at, last - 1) or sub(run, 3 * at - 2, 3 * at)
      at = last or at + 1
    end
    return concat(parts)
  end

  local function decode_runs(text)
    local parts, at = {}, 1
    while at <= #text do
      local last = at
      while find(text, "^%%%x%x", last) do last = last + 3 end
      parts[#parts + 1] = last > at and decode_run(sub(text, at, last - 1)) or sub(text, at, at)
      at = last > at and last or at + 1
    end
    return concat(parts)
  end

  local function percent_decode(text)
    if not find(text, "%", 1, true) then return text end
    local decoded = unescape(text)
    if is_utf8(decoded) then return decoded end
    return decode_runs(text)
  end

  local function directory_path(path)
    local first = find(path, "/", 2, true)
    local second = first and find(path, "/", first + 1, true)
    return sub(path, 1, second or first or 1)
  end

  local function section_of(path)
    local first = find(path, "/", 2, true)
    if not first then return "/" end
    local name = percent_decode(sub(path, 2, first - 1))
    local second = find(path, "/", first + 1, true)
    if not second then return name end
    return name .. "/" .. percent_decode(sub(path, first + 1, second - 1))
  end

  local function parse_address(url)
    local scheme, authority, path = match(url, "^(%a+)://([^/?#]*)([^?#]*)")
    if not scheme then return end
    scheme = lower(scheme)
    local default = (scheme == "https" and "443") or (scheme == "http" and "80")
    if not default then return end
    local user_end = find(authority, "@[^@]*$")
    if user_end then authority = sub(authority, user_end + 1) end
    local host, port = authority, ""
    if byte(authority) == 91 then
      local rest
      host, rest = match(authority, "^(%[[%x:.]+%])(.*)$")
      if not host or (rest ~= "" and byte(rest) ~= 58) then return end
      port = sub(rest, 2)
    else
      local colon = find(authority, ":", 1, true)
      if colon then host, port = sub(authority, 1, colon - 1), sub(authority, colon + 1) end
      if host == "" or find(host, "[%s%c<>\"\\^`{|}:]") then return end
    end
    if port ~= "" then
      local digits = match(port, "^0*(%d+)$")
      if not digits or #digits > 5 or tonumber(digits) > 65535 then return end
      port = digits == default and "" or ":" .. digits
    end
    if path == "" then path = "/"
    elseif find(path, "//", 1, true) then path = gsub(path, "/+", "/") end
    return lower(host), port, path
  end

  -- Page ids and sections of addresses seen lately; two memories take turns.
  local function new_memory() return { pages = {}, sections = {}, by_place = {}, size = 0 } end
  local recent, former, known_unknown, known_hosts = new_memory(), new_memory(), "", ""

  local function remember(address, page, section)
    recent.size = recent.size + #address
    if recent.size > 393216 then
      former, recent = recent, new_memory()
      recent.size = #address
    end
    recent.pages[address], recent.sections[address] = page, section
  end

  local function website_of(host, port, unknown, hosts)
    if hosts ~= "" then
      local found = call("HMGET", "H:TRACKER.HOSTS:W:" .. part .. "::", host .. port, host)
      if found[1] or found[2] then return found[1] or found[2] end
    end
    if unknown == "host" then
      if sub(host, 1, 4) == "www." and #host > 4 then return sub(host, 5) end
      return host
    end
    return unknown == "other" and "other" or ""
  end

  local function without_query(url)
    local query = find(url, "?", 1, true)
    local address = query and sub(url, 1, query - 1) or url
    local fragment = find(address, "#", 1, true)
    return fragment and sub(address, 1, fragment - 1) or address
  end

  -- The page's id and the section, or the reason why there are none.
  local function identify(url, unknown, hosts)
    local known = recent.pages[url]
    if known then return known, recent.sections[url] end
    if type(url) ~= "string" or #url > 2048 then return nil, nil, "url" end
    local address = without_query(url)
    known = recent.pages[address]
    if known then return known, recent.sections[address] end
    known = former.pages[address]
    if known then
      local section = former.sections[address]
      remember(address, known, section)
      return known, section
    end
    local host, port, path = parse_address(address)
    if not host then return nil, nil, "url" end
    local page, directories = sha1hex(host .. port .. path), directory_path(path)
    local place = host .. port .. directories
    local section = recent.by_place[place]
    if not section then
      section = former.by_place[place]
      if not section then
        local website, name = website_of(host, port, unknown, hosts), section_of(directories)
        if website == "" then return nil, nil, "website" end
        section = {
          id = sha1hex(website .. "/" .. name), name = name, path = directories,
          website_id = sha1hex(website), website = website,
        }
      end
      recent.by_place[place], recent.size = section, recent.size + #place
    end
    remember(address, page, section)
    return page, section
  end

  local function page_of(url)
    local host, port, path = parse_address(without_query(url))
    return host .. port .. path
  end

  -- Fields of events

  local function as_text(value)
    local kind = type(value)
    if kind == "string" then return value end
    if kind == "number" and value >= 0 and value <= MAX_EXACT and value == floor(value) then return "" .. value end
  end

  local function device_of(uui)
    local device = as_text(uui)
    if device and device ~= "" and device ~= "null" and #device <= 256 then return device end
  end

  local latest_digits, latest_time = "0", 0

  local function time_of(dt, now)
    local time
    if dt == latest_digits then
      time = latest_time
    else
      local kind = type(dt)
      if kind == "number" then
        if dt >= 0 and dt <= MAX_EXACT and dt == floor(dt) then time = dt end
      elseif kind == "string" and #dt <= 14 and find(dt, "^%d+$") then
        time = tonumber(dt)
        latest_digits, latest_time = dt, time
      end
    end
    if not time then return nil, "dt" end
    if time > now + MAX_AHEAD_MS then return nil, "future" end
    if time < now - MAX_AGE_MS then return nil, "old" end
    return time
  end

  local function media_of(raw)
    local audio, video, podcast = raw.audio, raw.video, raw.podcast
    if audio == nil and video == nil and podcast == nil then return nil end
    local media = {}
    for _, each in pairs({ { "A", audio }, { "V", video }, { "PC", podcast } }) do
      local value = each[2]
      if value ~= nil and value ~= null and value ~= "" then
        local id = as_text(value)
        if not id or #id > 256 then return false end
        media[#media + 1] = { each[1], id }
      end
    end
    return media
  end

  -- Counting

  local function read_state()
    state_key = part == "" and "H:TRACKER::::" or "H:TRACKER::" .. part .. "::"
    local stored = try("HMGET", state_key, "rotated", "config:unknown", "config:hosts", "clock")
    if stored.err then fail("CONFLICT " .. state_key .. " holds something that is no hash") end
    local unknown, hosts = stored[2] or "host", stored[3] or ""
    if unknown ~= known_unknown or hosts ~= known_hosts then
      recent, former, known_unknown, known_hosts = new_memory(), new_memory(), unknown, hosts
    end
    return tonumber(stored[1] or 0), unknown, hosts
  end

  local function new_tallies() return { count = 0, list = {}, by_id = {} } end

  local function add(tallies, id, section, url, device, time)
    local known = tallies.by_id[id]
    if known then
      local views = known.views + 1
      known.views, known.devices[views] = views, device
      return
    end
    known = { id = id, section = section, url = url, views = 1, devices = { device }, time = time }
    tallies.count = tallies.count + 1
    tallies.list[tallies.count], tallies.by_id[id] = known, known
  end

  -- Adds what a page got to its website or section.
  local function add_all(tallies, id, page)
    local known, more = tallies.by_id[id], page.devices
    if not known then
      known = { id = id, section = page.section, url = page.url, views = 0, devices = {}, time = page.time }
      tallies.count = tallies.count + 1
      tallies.list[tallies.count], tallies.by_id[id] = known, known
    end
    local views, devices = known.views, known.devices
    for at = 1, page.views do devices[views + at] = more[at] end
    known.views = views + page.views
  end

  local latest

  -- Adds one event to the minutes; the reason if it is refused.
  local function take(minutes, url, uui, dt, media, now, unknown, hosts)
    local page, section, reason = identify(url, unknown, hosts)
    if not page then return reason end
    local device = device_of(uui)
    if not device then return "uui" end
    local time, wrong = time_of(dt, now)
    if not time then return wrong end
    if media == false then return "media" end
    local start = time - time % MINUTE_MS
    local minute = latest
    if not minute or minute.start ~= start then
      minute = minutes[start]
      if not minute then
        minute = { start = start, events = 0, P = new_tallies() }
        minutes[start] = minute
      end
      latest = minute
    end
    minute.events = minute.events + 1
    add(minute.P, page, section, url, device, time)
    if media then
      for at = 1, #media do
        local dimension = media[at][1]
        minute[dimension] = minute[dimension] or new_tallies()
        add(minute[dimension], sha1hex(section.website .. "/" .. media[at][2]), section, url, device, time)
      end
    end
  end

  local function note(sets, name, makes, tally)
    local set = sets[name]
    if not set then
      set = { makes = makes, tallies = {} }
      sets[name] = set
    end
    local before, time = set.tallies[tally.id], tally.time
    if not before then
      set.tallies[tally.id] = { id = tally.id, section = tally.section, url = tally.url, first = time, last = time }
      return
    end
    if time > before.last then before.last = time end
    if time < before.first then before.first = time end
  end

  local function visit(sets, dimension, tally)
    local section = tally.section
    if dimension == "W" then
      note(sets, "SS:VISITED:W:" .. part .. "::", "W", tally)
    elseif dimension == "S" then
      note(sets, "SS:SECTIONS:W:" .. part .. section.website_id .. "::", "S", tally)
    else
      note(sets, "SS:PAGES:W:" .. part .. section.website_id .. "::", "P", tally)
      note(sets, "SS:PAGES:S:" .. part .. section.id .. "::", nil, tally)
    end
  end

  -- The first `count` directories of a path.
  local function directories(path, count)
    local found, from = {}, 2
    while #found < count do
      local slash = find(path, "/", from, true)
      if not slash then break end
      found[#found + 1] = percent_decode(sub(path, from, slash - 1))
      from = slash + 1
    end
    return found
  end

  -- The sets of the directories of a section (levels 1 and 2), or of a page below those (3 and 4).
  local function sets_of(dimension, path, first, last)
    local sets, found = {}, directories(path, last)
    for level = first, #found do
      sets[#sets + 1] = "S:LEVEL." .. level .. ":" .. dimension .. ":" .. part .. sha1hex(found[level]) .. "::"
    end
    return sets
  end

  local function index_of(makes, visit)
    if makes == "W" then return nil, nil, {} end
    if makes == "S" then
      return "SS:NAMES:S:" .. part .. "::", visit.section.name .. "\0" .. visit.id, sets_of("S", visit.section.path, 1, 2)
    end
    local page = page_of(visit.url)
    return "SS:URLS:P:" .. part .. "::", page, sets_of("P", match(page, "/.*$"), 3, 4)
  end

  -- Checks what a new document will write; a page that has a document moves, because the table of hosts was changed.
  local function prepare_absent(set, visit)
    local makes = set.makes
    local name = "H:DOCUMENT:" .. makes .. ":" .. part .. visit.id .. "::"
    local stored = try("HMGET", name, "first", "website", "section")
    if stored.err then fail("CONFLICT " .. name .. " holds something that is no hash") end
    if stored[1] then
      if makes ~= "P" then return end
      local from = { "SS:PAGES:W:" .. part .. stored[2] .. "::", "SS:PAGES:S:" .. part .. stored[3] .. "::" }
      for at = 1, 2 do require_type(from[at], "zset") end
      set.moves[#set.moves + 1] = { visit, from }
      return
    end
    local index, _, levels = index_of(makes, visit)
    if index then require_type(index, "zset") end
    for at = 1, #levels do require_type(levels[at], "set") end
    set.created[#set.created + 1] = visit
  end

  local function is_earlier(makes, visit, last)
    if visit.first >= last then return false end
    local first = call("HGET", "H:DOCUMENT:" .. makes .. ":" .. part .. visit.id .. "::", "first")
    return not first or visit.first < tonumber(first)
  end

  local function prepare_documents(set, before)
    local makes = set.makes
    for at = 1, #set.ids do
      local visit = set.tallies[set.ids[at]]
      if not before[at] then prepare_absent(set, visit)
      elseif is_earlier(makes, visit, tonumber(before[at])) then set.earlier[#set.earlier + 1] = visit end
    end
    if makes ~= "W" then require_type("SS:VISITED:" .. makes .. ":" .. part .. "::", "zset") end
    -- Whether new pages are announced; here they are not, because the option is off.
    if makes == "P" and #set.created > 0 then call("HMGET", state_key, "config:enrich", "config:refresh_days") end
  end

  local function prepare_visits(sets)
    for name, set in pairs(sets) do
      local ids, count = {}, 0
      for id in pairs(set.tallies) do
        count = count + 1
        ids[count] = id
      end
      local before = try("ZMSCORE", name, unpack(ids))
      if before.err then fail("CONFLICT " .. name .. " holds something that is no sorted set") end
      set.ids, set.created, set.moves, set.earlier = ids, {}, {}, {}
      if set.makes then prepare_documents(set, before) end
    end
  end

  local minute_start, minute_part
  local open_views, devices_before, devices_after, open_pages

  -- The names that all events of a minute share.
  local function use_minute(start)
    if start == minute_start and part == minute_part then return end
    minute_start, minute_part, devices_after = start, part, ":" .. start .. ":UD"
    open_views, devices_before = {}, {}
    for at = 1, 6 do
      local dimension = DIMENSIONS[at]
      open_views[dimension] = "H:1MINUTE.OPEN:" .. dimension .. ":" .. part .. ":" .. start .. ":PG"
      devices_before[dimension] = "HLL:1MINUTE:" .. dimension .. ":" .. part
    end
    open_pages = "S:5MINUTES.OPEN:P:" .. part .. ":" .. start - start % PARENT_MS .. ":UD"
  end

  local function group_minute(minute, rotated, groups)
    local websites, sections, pages = new_tallies(), new_tallies(), minute.P
    for at = 1, pages.count do
      local page = pages.list[at]
      add_all(websites, page.section.website_id, page)
      add_all(sections, page.section.id, page)
    end
    minute.W, minute.S = websites, sections
    local parent = minute.start - minute.start % PARENT_MS
    for at = 1, 6 do
      local dimension = DIMENSIONS[at]
      if minute[dimension] then
        groups[#groups + 1] = {
          dimension = dimension, tallies = minute[dimension], start = minute.start, parent = "" .. parent,
          late = parent + PARENT_MS <= rotated, events = minute.events, counted = 0, announced = {}, fresh = {},
        }
      end
    end
  end

  local DIGITS = {}
  for views = 1, 64 do DIGITS[views] = "" .. views end

  -- The hash that views are being added to, for the error that one of another type raises.
  local counting_in

  local function add_views(group, new_sections)
    local dimension, late, list = group.dimension, group.late, group.tallies.list
    local open, announced, fresh = open_views[dimension], group.announced, group.fresh
    counting_in = open
    for at = 1, group.tallies.count do
      local tally = list[at]
      local id, views = tally.id, tally.views
      local total = call("HINCRBY", open, id, DIGITS[views] or "" .. views)
      group.counted = at
      if total == views or (new_sections and new_sections[tally.section.id]) then
        fresh[#fresh + 1], announced[#announced + 1] = tally, tally
      elseif late then
        announced[#announced + 1] = tally
      end
    end
    counting_in = nil
  end

  local function check_announced(group)
    local dimension, announced = group.dimension, group.announced
    if #announced == 0 then return end
    for at = 1, #announced do
      local name = devices_before[dimension] .. announced[at].id .. devices_after
      local magic = try("GETRANGE", name, "0", "3")
      if magic ~= "HYLL" and magic ~= "" then fail("CONFLICT " .. name .. " holds something that is no HyperLogLog") end
    end
    group.open_devices = "S:5MINUTES.OPEN:" .. dimension .. ":" .. part .. ":" .. group.parent .. ":UD"
    require_type(group.open_devices, "set")
    if not group.opens then return end
    group.pending = "SS:5MINUTES.PENDING:" .. dimension .. ":" .. part .. "::"
    require_type(group.pending .. "PG", "zset")
    require_type(group.pending .. "UD", "zset")
  end

  local function add_devices(name, ...)
    local changed = try("PFADD", name, ...)
    if changed ~= 1 and changed ~= 0 then fail("CONFLICT " .. name .. " holds something that is no HyperLogLog") end
  end

  -- Everything that may still meet a foreign key; what was noted of visits.
  local function count_groups(groups)
    local sets, opens, new_sections = {}, false, nil
    for at = 1, #groups do
      local group = groups[at]
      local dimension = group.dimension
      use_minute(group.start)
      add_views(group, dimension == "P" and new_sections)
      if dimension == "S" then
        new_sections = nil
        for position = 1, #group.fresh do
          new_sections = new_sections or {}
          new_sections[group.fresh[position].id] = true
        end
      end
      if dimension == "W" or not DOCUMENTED[dimension] then opens = #group.announced > 0 end
      group.opens = opens
      check_announced(group)
      if DOCUMENTED[dimension] then
        for position = 1, #group.fresh do visit(sets, dimension, group.fresh[position]) end
      end
    end
    prepare_visits(sets)
    for at = 1, #groups do
      local group = groups[at]
      use_minute(group.start)
      local before, list = devices_before[group.dimension], group.tallies.list
      for position = 1, group.tallies.count do
        local tally = list[position]
        add_devices(before .. tally.id .. devices_after, unpack(tally.devices))
      end
    end
    return sets
  end

  local function take_back(groups)
    for at = 1, #groups do
      local group = groups[at]
      use_minute(group.start)
      local open = open_views[group.dimension]
      for position = 1, group.counted do
        local tally = group.tallies.list[position]
        if call("HINCRBY", open, tally.id, "" .. -tally.views) == 0 then call("HDEL", open, tally.id) end
      end
    end
  end

  local function announce(group)
    local announced, dimension, ids = group.announced, group.dimension, {}
    if #announced == 0 then return end
    use_minute(group.start)
    for at = 1, #announced do
      local id = announced[at].id
      ids[at] = id
      call("PEXPIRE", devices_before[dimension] .. id .. devices_after, UNMERGED_KEEP)
    end
    call("SADD", group.open_devices, unpack(ids))
    if not group.opens then return end
    call("ZADD", group.pending .. "PG", group.parent, group.parent)
    call("ZADD", group.pending .. "UD", group.parent, group.parent)
    call("PEXPIRE", open_views[dimension], UNMERGED_KEEP)
    call("PEXPIRE", group.open_devices, UNMERGED_KEEP)
  end

  local function create(makes, visit)
    local name, section, first = "H:DOCUMENT:" .. makes .. ":" .. part .. visit.id .. "::", visit.section, "" .. visit.first
    local index, member, levels = index_of(makes, visit)
    if makes == "W" then
      call("HSET", name, "name", section.website, "first", first)
    elseif makes == "S" then
      call("HSET", name, "name", section.name, "website", section.website_id, "path", section.path, "first", first)
    else
      call("HSET", name, "url", member, "website", section.website_id, "section", section.id, "first", first)
    end
    if index then call("ZADD", index, "0", member) end
    for at = 1, #levels do call("SADD", levels[at], visit.id) end
  end

  local function write_documents(set)
    local makes = set.makes
    for at = 1, #set.created do create(makes, set.created[at]) end
    for at = 1, #set.moves do
      local visit, from = set.moves[at][1], set.moves[at][2]
      for position = 1, 2 do call("ZREM", from[position], visit.id) end
      call("HSET", "H:DOCUMENT:P:" .. part .. visit.id .. "::", "website", visit.section.website_id, "section", visit.section.id)
    end
    for at = 1, #set.earlier do
      local visit = set.earlier[at]
      call("HSET", "H:DOCUMENT:" .. makes .. ":" .. part .. visit.id .. "::", "first", "" .. visit.first)
    end
    if #set.created > 0 then call("HINCRBY", state_key, "documents:" .. makes, "" .. #set.created) end
  end

  local function write_visits(sets)
    for name, set in pairs(sets) do
      local flat, ids, makes = {}, set.ids, set.makes
      for at = 1, #ids do flat[2 * at - 1], flat[2 * at] = "" .. set.tallies[ids[at]].last, ids[at] end
      if makes then write_documents(set) end
      call("ZADD", name, "GT", unpack(flat))
      if makes == "S" or makes == "P" then call("ZADD", "SS:VISITED:" .. makes .. ":" .. part .. "::", "GT", unpack(flat)) end
    end
  end

  local function keep_rejections(rejections, now)
    local counts = {}
    for at = 1, #rejections do
      local reason, event = rejections[at][2], sub(rejections[at][3], 1, 4096)
      counts[reason] = (counts[reason] or 0) + 1
      call("XADD", "ST:REJECTED::" .. part .. "::", "MAXLEN", "~", 10000, "*", "reason", reason, "event", event, "at", now)
    end
    for reason, times in pairs(counts) do call("HINCRBY", state_key, "rejected:" .. reason, times) end
  end

  local function same(raised) return raised end

  -- Writes a batch, or leaves everything as it was; how many events were late.
  local function commit(minutes, rejections, rotated, now)
    latest = nil
    if #rejections > 0 then require_type("ST:REJECTED::" .. part .. "::", "stream") end
    local groups = {}
    for _, minute in pairs(minutes) do group_minute(minute, rotated, groups) end
    local ok, sets = xpcall(function() return count_groups(groups) end, same)
    if not ok then
      local open = counting_in
      counting_in = nil
      take_back(groups)
      if open then fail("CONFLICT " .. open .. " holds something that is no hash of views") end
      error(sets)
    end
    local late = 0
    for at = 1, #groups do
      local group = groups[at]
      announce(group)
      if group.late and group.dimension == "W" then late = late + group.events end
    end
    write_visits(sets)
    if late > 0 then call("HINCRBY", state_key, "late", "" .. late) end
    if #rejections > 0 then keep_rejections(rejections, now) end
    return late
  end

  local function decode_event(text)
    if byte(text) ~= 123 and not find(text, "^%s*{") then return end
    local ok, raw = pcall(decode, text)
    if ok then return raw end
  end

  -- One more view of an id that has some; nothing is changed where it has none.
  local function add_to_seen(name, id)
    local views = try("HINCRBY", name, id, "1")
    if views == 1 then call("HDEL", name, id) end
    return views ~= 1 and type(views) == "number"
  end

  local function add_device(name, device)
    local added = try("PFADD", name, device)
    return added == 1 or added == 0
  end

  local function take_back_one(open, id)
    if call("HINCRBY", open, id, "-1") == 0 then call("HDEL", open, id) end
  end

  -- Whether a page is known and was not visited later, and what its first view in its minute writes is what it should be.
  local function is_ready(page, lists, devices, time)
    for at = 1, 3 do
      local last = try("ZSCORE", lists[at], page)
      if type(last) ~= "string" or tonumber(last) > time then return false end
    end
    local magic = try("GETRANGE", devices, "0", "3")
    return (magic == "" or magic == "HYLL") and call("TYPE", open_pages).ok == "set"
  end

  -- One event whose website and section were seen in its minute, and whose page was or is at least known.
  local function count_one(page, section, device, time, rotated)
    local start = time - time % MINUTE_MS
    if start - start % PARENT_MS + PARENT_MS <= rotated then return false end
    use_minute(start)
    local websites, sections, pages = open_views.W, open_views.S, open_views.P
    if not add_to_seen(sections, section.id) then return false end
    if not add_to_seen(websites, section.website_id) then
      take_back_one(sections, section.id)
      return false
    end
    local views = try("HINCRBY", pages, page, "1")
    local devices, first = devices_before.P .. page .. devices_after, views == 1
    local lists, counted
    if first then
      lists = {
        "SS:PAGES:W:" .. part .. section.website_id .. "::", "SS:PAGES:S:" .. part .. section.id .. "::",
        "SS:VISITED:P:" .. part .. "::",
      }
      counted = is_ready(page, lists, devices, time)
    else
      counted = type(views) == "number"
    end
    if counted and add_device(devices_before.W .. section.website_id .. devices_after, device)
      and add_device(devices_before.S .. section.id .. devices_after, device) and add_device(devices, device) then
      if first then
        call("PEXPIRE", devices, UNMERGED_KEEP)
        call("SADD", open_pages, page)
        for at = 1, 3 do call("ZADD", lists[at], "" .. time, page) end
      end
      return true
    end
    if type(views) == "number" then take_back_one(pages, page) end
    take_back_one(sections, section.id)
    take_back_one(websites, section.website_id)
    return false
  end

  local function track_one(json, now, rotated, unknown, hosts)
    local raw = decode_event(json)
    if not raw or media_of(raw) ~= nil then return false end
    local page, section = identify(raw.url, unknown, hosts)
    local device, time = device_of(raw.uui), time_of(raw.dt, now)
    if not page or not device or not time then return false end
    return count_one(page, section, device, time, rotated)
  end

  local function report(rejections)
    local errors = {}
    for at = 1, #rejections do
      if at > 100 then break end
      errors[at] = { rejections[at][1], "BADEVENT", REASONS[rejections[at][2]] }
    end
    return errors
  end

  -- Values of options by name in `args` from `at` on; each named at most once.
  local function options(args, at, allowed)
    local found = {}
    while args[at] do
      local name = upper(args[at])
      if not allowed[name] then fail("BADARG unknown option " .. quote(args[at])) end
      if found[name] then fail("BADARG " .. name .. " is given twice") end
      if not args[at + 1] then fail("BADARG " .. name .. " has no value") end
      found[name] = args[at + 1]
      at = at + 2
    end
    if found.NOW then found.NOW = whole("NOW", found.NOW, 0, MAX_EXACT, "a unix time in milliseconds") end
    return found
  end

  local COUNTED_ONE = { "accepted", 1, "rejected", 0, "late", 0, "errors", {} }
  local TRACK_OPTIONS, INGEST_OPTIONS = { NOW = true }, { NOW = true, STREAM = true, LIMIT = true }

  local function track(args)
    local count = #args
    while count > 0 and byte(args[count]) ~= 123 do count = count - 1 end
    if count == 0 then fail("BADARG event must be a JSON object") end
    if count > 1000 then fail("LIMIT at most 1000 of event a call, got " .. count) end
    local now = clock(options(args, count + 1, TRACK_OPTIONS).NOW)
    local rotated, unknown, hosts = read_state()
    if count == 1 and track_one(args[1], now, rotated, unknown, hosts) then return COUNTED_ONE end
    local minutes, rejections, accepted = {}, {}, 0
    for at = 1, count do
      local raw = decode_event(args[at])
      local reason = "json"
      if raw then reason = take(minutes, raw.url, raw.uui, raw.dt, media_of(raw), now, unknown, hosts) end
      if reason then rejections[#rejections + 1] = { at - 1, reason, args[at] }
      else accepted = accepted + 1 end
    end
    local late = commit(minutes, rejections, rotated, now)
    return { "accepted", accepted, "rejected", #rejections, "late", late, "errors", report(rejections) }
  end

  local function raw_of(flat)
    local raw = {}
    for at = 1, #flat, 2 do raw[flat[at]] = flat[at + 1] end
    return raw
  end

  local function take_entry(minutes, flat, now, unknown, hosts)
    if flat[1] == "url" and flat[3] == "uui" and flat[5] == "dt" and not flat[7] then
      return take(minutes, flat[2], flat[4], flat[6], nil, now, unknown, hosts)
    end
    local raw = raw_of(flat)
    return take(minutes, raw.url, raw.uui, raw.dt, media_of(raw), now, unknown, hosts)
  end

  local function is_after(a, b)
    local a_ms, a_seq = match(a, "^(%d+)%-(%d+)$")
    local b_ms, b_seq = match(b, "^(%d+)%-(%d+)$")
    local by_time = tonumber(a_ms) - tonumber(b_ms)
    return by_time > 0 or (by_time == 0 and tonumber(a_seq) > tonumber(b_seq))
  end

  -- Length, entries ever added, last id, and the first entry's id.
  local function info_of(stream)
    local flat, info = call("XINFO", "STREAM", stream), {}
    for at = 1, #flat, 2 do info[flat[at]] = flat[at + 1] end
    local first = info["first-entry"]
    return info.length, info["entries-added"], info["last-generated-id"], first and first[1]
  end

  -- Cursor and position to read on from.
  local function place_of(stream)
    local stored = try("HMGET", state_key, "cursor:" .. stream, "position:" .. stream)
    if stored.err then fail("CONFLICT " .. state_key .. " holds something that is no hash") end
    local cursor, position = stored[1] or "0-0", tonumber(stored[2] or 0)
    if call("EXISTS", stream) == 0 then return cursor, 0 end
    local length, added, last, first = info_of(stream)
    local anew = is_after(cursor, last)
    if anew or not first or is_after(first, cursor) then return anew and "0-0" or cursor, added - length end
    return cursor, position < added and position or added
  end

  -- Counts up to `limit` entries and moves the cursor.
  local function step(stream, cursor, position, limit, now, rotated, unknown, hosts)
    local entries = call("XRANGE", stream, "(" .. cursor, "+", "COUNT", limit + 1)
    local read = #entries
    local more = read > limit
    if more then read = limit end
    local minutes, rejections = {}, {}
    for at = 1, read do
      local flat = entries[at][2]
      local reason = take_entry(minutes, flat, now, unknown, hosts)
      if reason then rejections[#rejections + 1] = { at - 1, reason, encode(raw_of(flat)) } end
    end
    local late = commit(minutes, rejections, rotated, now)
    if read > 0 then
      cursor = entries[read][1]
      position = position + read
      call("HSET", state_key, "cursor:" .. stream, cursor, "position:" .. stream, "" .. position)
    end
    return { read, #rejections, late, cursor, more, position }
  end

  local function maxlen()
    local stored = call("HMGET", state_key, "config:maxlen", "config:document_days", "config:series_fine_days", "config:series_coarse_days")
    return tonumber(stored[1] or 10000)
  end

  local function ingest(args)
    local given = options(args, 1, INGEST_OPTIONS)
    local limit = given.LIMIT and whole("LIMIT", given.LIMIT, 1, 10000, "an integer from 1 to 10000") or 250
    local stream = given.STREAM or "ST:TRACKER::" .. part .. "::"
    local now = clock(given.NOW)
    local rotated, unknown, hosts = read_state()
    require_type(stream, "stream")
    local cursor, position = place_of(stream)
    local more = true
    local read, rejected, late = 0, 0, 0
    while more and read < limit do
      local size = limit - read > 1000 and 1000 or limit - read
      local ok, done = true, nil
      if read == 0 then done = step(stream, cursor, position, size, now, rotated, unknown, hosts)
      else ok, done = pcall(step, stream, cursor, position, size, now, rotated, unknown, hosts) end
      if not ok then break end
      read, rejected, late = read + done[1], rejected + done[2], late + done[3]
      cursor, more, position = done[4], done[5], done[6]
    end
    local keep = maxlen()
    if call("XLEN", stream) > keep then
      local _, added = info_of(stream)
      call("XTRIM", stream, "MAXLEN", "~", "" .. added - position + keep)
    end
    return {
      "read", read, "accepted", read - rejected, "rejected", rejected, "late", late, "remaining", more and 1 or 0,
    }
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

  local run, run_keys, run_args
  local function guarded()
    route(run_keys)
    return run(run_args)
  end

  local function callback(handler)
    return function(keys, args)
      run, run_keys, run_args = handler, keys, args
      local _, reply = xpcall(guarded, on_error)
      return reply
    end
  end

  return { track = callback(track), ingest = callback(ingest) }
end

-- While a library loads, `redis` is the only global there is.
local callbacks

redis.register_function("twin_track_events", function(keys, args)
  callbacks = callbacks or load()
  return callbacks.track(keys, args)
end)

redis.register_function("twin_ingest_events", function(keys, args)
  callbacks = callbacks or load()
  return callbacks.ingest(keys, args)
end)
