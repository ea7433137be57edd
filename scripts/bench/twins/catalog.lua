#!lua name=hotpath_catalog_twin

-- upsert_product as one would write it in Lua by hand: the same checks, the same keys, the same reply. Without a routing key.

local MAX_TIME = 99999999999999
local CONTENT = { 'name', 'price', 'availability', 'brand', 'release_year', 'link' }
local OTHER = { id = true, vendor = true, sku = true, created_at = true, last_synced_at = true }
local MAX_BYTES = { sku = 128, name = 512, availability = 64, brand = 128, link = 2048 }

local function fail(code, message)
  error({ err = code .. ' ' .. message })
end

local function quote(value)
  local shown = string.gsub(string.sub(value, 1, 64), '%c', '?')
  return #value > 64 and "'" .. shown .. "...'" or "'" .. shown .. "'"
end

local function refuse(field, expected, value)
  fail('BADARG', 'product: ' .. field .. ' must be ' .. expected .. ', got ' .. quote(tostring(value)))
end

-- Types of keys

local function require_type(key, expected)
  local found = redis.call('TYPE', key).ok
  if found ~= expected and found ~= 'none' then fail('CONFLICT', key .. ' holds a ' .. found .. ', not a ' .. expected) end
end

local function on_key(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) == 'table' and found.err then
    if string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then error({ err = found.err }) end
    fail('CONFLICT', key .. ' holds another type than ' .. command .. ' is for')
  end
  return found
end

-- What is given

local function is_utf8(text)
  local at = string.find(text, '[^ -~]')
  while at and at <= #text do
    local first, second = string.byte(text, at, at + 1)
    local count = first < 0x80 and 0 or (first >= 0xc2 and first <= 0xdf) and 1 or (first >= 0xe0 and first <= 0xef) and 2
      or (first >= 0xf0 and first <= 0xf4) and 3
    if not count then return false end
    for offset = 1, count do
      local byte = string.byte(text, at + offset)
      if not byte or byte < 0x80 or byte > 0xbf then return false end
    end
    if count > 0 and ((first == 0xe0 and second < 0xa0) or (first == 0xed and second > 0x9f) or (first == 0xf0 and second < 0x90)
      or (first == 0xf4 and second > 0x8f)) then return false end
    at = at + count + 1
  end
  return true
end

local function text_of(field, value)
  local most = MAX_BYTES[field]
  if type(value) ~= 'string' or value == '' or #value > most or not is_utf8(value) then
    refuse(field, 'text of 1 to ' .. most .. ' bytes of UTF-8', value)
  end
  return value
end

-- The products of the bench have prices in the form in which they are stored, and numbers for years.
local function content_of(field, value)
  if field == 'price' then
    if type(value) ~= 'string' or #value > 15 or not string.find(value, '^[1-9]%d*%.%d%d$') then refuse('price', 'a price', value) end
    return value
  elseif field == 'release_year' then
    local digits = string.match(tostring(value), '^%d%d?%d?%d?$')
    if not digits or tonumber(digits) < 1 then refuse('release_year', 'a year from 1 to 9999', value) end
    return digits
  end
  text_of(field, value)
  if field == 'link' and not string.find(value, '^[hH][tT][tT][pP][sS]?://[^/%s]') then refuse('link', 'an absolute http(s) address', value) end
  return value
end

local function parse(vendor, json)
  local ok, raw = pcall(cjson.decode, json)
  if not ok or type(raw) ~= 'table' then fail('BADARG', 'product must be a JSON object, got ' .. quote(json)) end
  local sku = text_of('sku', raw.sku)
  local content = {}
  for field, value in pairs(raw) do
    if OTHER[field] then
      if field == 'vendor' and value ~= vendor then refuse('vendor', 'the vendor of the call', value) end
      if field == 'id' and value ~= redis.sha1hex(vendor .. '/' .. sku) then refuse('id', 'SHA-1 of vendor/sku', value) end
    elseif value == cjson.null then
      content[field] = false
    else
      content[field] = content_of(field, value)
    end
  end
  return sku, content
end

-- Options

local latest, auditing
local function read_auditing()
  local stored = on_key('HMGET', 'H:CATALOG::::', 'config:audit:product', 'config:audit_maxlen', 'config:audit_days', 'config:removed_days')
  if latest and stored[1] == latest[1] and stored[2] == latest[2] and stored[3] == latest[3] and stored[4] == latest[4] then return auditing end
  latest = stored
  auditing = { fields = {}, maxlen = tonumber(stored[2] or 1000), days = tonumber(stored[3] or 0) }
  for name in string.gmatch(stored[1] or 'price,availability', '[^,]+') do auditing.fields[name] = true end
  return auditing
end

-- Lists and counts

local function list_of(field, value)
  if field == 'price' then return 'SS:PRODUCTS.PRICE::::' end
  return 'SS:PRODUCTS.AVAILABILITY::' .. redis.sha1hex(value) .. '::'
end

local function require_lists(vendor, field, value)
  if field == 'release_year' then
    local year = value or ''
    require_type('SS:PRODUCTS.YEAR::/' .. year .. '::', 'zset')
    require_type('H:CATALOG.YEARS::::', 'hash')
    require_type('SS:PRODUCTS.YEAR::' .. vendor .. '/' .. year .. '::', 'zset')
    require_type('H:CATALOG.YEARS::' .. vendor .. '::', 'hash')
    require_type('H:CATALOG.SKUS::' .. year .. '::', 'hash')
  elseif value and (field == 'price' or field == 'availability') then
    require_type(list_of(field, value), 'zset')
  end
end

local function add_value(id, vendor, sku, created, field, value)
  if field == 'release_year' then
    local year = value or ''
    redis.call('ZADD', 'SS:PRODUCTS.YEAR::/' .. year .. '::', created, id)
    redis.call('ZADD', 'SS:PRODUCTS.YEAR::' .. vendor .. '/' .. year .. '::', created, id)
    redis.call('HINCRBY', 'H:CATALOG.YEARS::' .. vendor .. '::', year, '1')
    if redis.call('HINCRBY', 'H:CATALOG.SKUS::' .. year .. '::', sku, '1') == 1 then redis.call('HINCRBY', 'H:CATALOG.YEARS::::', year, '1') end
  elseif value and field == 'price' then
    redis.call('ZADD', 'SS:PRODUCTS.PRICE::::', value, id)
  elseif value and field == 'availability' then
    redis.call('ZADD', list_of(field, value), created, id)
  end
end

local function count_down(key, field)
  if redis.call('HINCRBY', key, field, '-1') > 0 then return false end
  redis.call('HDEL', key, field)
  return true
end

local function remove_value(id, vendor, sku, field, value)
  if field == 'release_year' then
    local year = value or ''
    redis.call('ZREM', 'SS:PRODUCTS.YEAR::/' .. year .. '::', id)
    redis.call('ZREM', 'SS:PRODUCTS.YEAR::' .. vendor .. '/' .. year .. '::', id)
    count_down('H:CATALOG.YEARS::' .. vendor .. '::', year)
    if count_down('H:CATALOG.SKUS::' .. year .. '::', sku) then count_down('H:CATALOG.YEARS::::', year) end
  elseif value and (field == 'price' or field == 'availability') then
    redis.call('ZREM', list_of(field, value), id)
  end
end

-- Audit: changes are { field, old, new }

local function shown(field, value)
  if not value then return 'null' end
  if field == 'release_year' then return value end
  return (string.gsub(cjson.encode(value), '\\/', '/'))
end

local function require_audit(id, changes)
  local any = false
  for _, change in ipairs(changes) do
    if auditing.fields[change[1]] then
      if not any then require_type('L:CATALOG.HISTORY::product/' .. id .. '::', 'list') end
      any = true
      require_type('ornaments:product:' .. id .. ':' .. change[1], 'zset')
    end
  end
end

local function keep(id, changes, now)
  local entries = {}
  for _, change in ipairs(changes) do
    local field, old, new = change[1], change[2], change[3]
    if auditing.fields[field] then
      entries[#entries + 1] = '{"at":' .. now .. ',"field":"' .. field .. '","old":' .. shown(field, old) .. ',"new":' .. shown(field, new) .. '}'
      if new then
        local key = 'ornaments:product:' .. id .. ':' .. field
        local seconds = math.floor(now / 1000)
        local added = redis.call('ZADD', key, tostring(seconds), new)
        if auditing.days > 0 then redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. math.floor((now - auditing.days * 86400000) / 1000)) end
        if added == 1 and redis.call('ZCARD', key) > auditing.maxlen then redis.call('ZREMRANGEBYRANK', key, '0', tostring(-auditing.maxlen - 1)) end
      end
    end
  end
  if #entries == 0 then return end
  local key = 'L:CATALOG.HISTORY::product/' .. id .. '::'
  local length = redis.call('RPUSH', key, unpack(entries))
  if length > auditing.maxlen then redis.call('LTRIM', key, tostring(-auditing.maxlen), '-1') end
  if auditing.days > 0 then
    local dropped = 0
    for _, entry in ipairs(redis.call('LRANGE', key, '0', '9')) do
      if tonumber(string.match(entry, '^{"at":(%d+)')) >= now - auditing.days * 86400000 then break end
      dropped = dropped + 1
    end
    if dropped > 0 then redis.call('LTRIM', key, tostring(dropped), '-1') end
  end
end

-- The three ways

local function create(id, vendor, sku, content, now)
  local stored = { 'vendor', vendor, 'sku', sku, 'created_at', now, 'last_synced_at', now }
  local changes = {}
  for _, field in ipairs(CONTENT) do
    local value = content[field]
    if value then
      stored[#stored + 1] = field
      stored[#stored + 1] = value
      changes[#changes + 1] = { field, nil, value }
    end
  end
  read_auditing()
  require_audit(id, changes)
  require_type('H:CATALOG.VENDOR::' .. vendor .. '::', 'hash')
  if on_key('SMISMEMBER', 'S:CATALOG.VENDORS::::', vendor)[1] == 0 and redis.call('SCARD', 'S:CATALOG.VENDORS::::') >= 500 then
    fail('LIMIT', 'there are 500 vendors already')
  end
  require_type('SS:PRODUCTS::::', 'zset')
  require_type('SS:PRODUCTS.VENDOR::' .. vendor .. '::', 'zset')
  require_type('SS:PRODUCTS.SYNCED::::', 'zset')
  for _, field in ipairs(CONTENT) do require_lists(vendor, field, content[field]) end
  redis.call('SADD', 'S:CATALOG.VENDORS::::', vendor)
  redis.call('HSET', 'H:PRODUCT::' .. id .. '::', unpack(stored))
  redis.call('ZADD', 'SS:PRODUCTS::::', now, id)
  redis.call('ZADD', 'SS:PRODUCTS.VENDOR::' .. vendor .. '::', now, id)
  redis.call('ZADD', 'SS:PRODUCTS.SYNCED::::', now, id)
  for _, field in ipairs(CONTENT) do add_value(id, vendor, sku, now, field, content[field]) end
  if redis.call('PERSIST', 'L:CATALOG.HISTORY::product/' .. id .. '::') == 1 then
    for _, field in ipairs(CONTENT) do redis.call('PERSIST', 'ornaments:product:' .. id .. ':' .. field) end
  end
  keep(id, changes, now)
end

local function touch(id, vendor, now)
  require_type('H:CATALOG.VENDOR::' .. vendor .. '::', 'hash')
  on_key('ZADD', 'SS:PRODUCTS.SYNCED::::', now, id)
  redis.call('HSET', 'H:PRODUCT::' .. id .. '::', 'last_synced_at', now)
end

local function change(id, vendor, sku, created, changes, now)
  read_auditing()
  require_audit(id, changes)
  require_type('H:CATALOG.VENDOR::' .. vendor .. '::', 'hash')
  require_type('SS:PRODUCTS.SYNCED::::', 'zset')
  for _, each in ipairs(changes) do
    require_lists(vendor, each[1], each[2])
    require_lists(vendor, each[1], each[3])
  end
  local stored = { 'last_synced_at', now }
  for _, each in ipairs(changes) do
    remove_value(id, vendor, sku, each[1], each[2])
    add_value(id, vendor, sku, created, each[1], each[3])
    if each[3] then
      stored[#stored + 1] = each[1]
      stored[#stored + 1] = each[3]
    else
      redis.call('HDEL', 'H:PRODUCT::' .. id .. '::', each[1])
    end
  end
  redis.call('HSET', 'H:PRODUCT::' .. id .. '::', unpack(stored))
  redis.call('ZADD', 'SS:PRODUCTS.SYNCED::::', now, id)
  keep(id, changes, now)
end

local function upsert(args)
  local vendor, json = args[1], args[2]
  if not vendor or vendor == '' or #vendor > 128 then fail('BADARG', 'vendor must be text of 1 to 128 bytes') end
  if not json or not string.find(json, '^%s*{') or #json > 16384 then fail('BADARG', 'product must be a JSON object of at most 16384 bytes') end
  if #args ~= 4 or string.upper(args[3]) ~= 'NOW' then fail('BADARG', 'usage: twin_upsert_product vendor product NOW ms') end
  local now = args[4]
  if not string.find(now, '^%d+$') or #now > 15 or tonumber(now) > MAX_TIME then fail('BADARG', 'NOW must be a unix time in milliseconds, got ' .. quote(now)) end
  if not string.find(vendor, '^[%w._-]+$') then fail('BADARG', 'vendor must be made of letters, digits, . _ and -, got ' .. quote(vendor)) end
  local sku, content = parse(vendor, json)
  local id = redis.sha1hex(vendor .. '/' .. sku)
  local before = on_key('HMGET', 'H:PRODUCT::' .. id .. '::', 'vendor', 'created_at', 'last_synced_at', unpack(CONTENT))
  local outcome, fields = 'unchanged', {}
  if not before[1] then
    if not content.name then fail('BADARG', 'product: name is missing') end
    create(id, vendor, sku, content, now)
    outcome = 'created'
  elseif tonumber(now) < tonumber(before[3]) then
    require_type('H:CATALOG.VENDOR::' .. vendor .. '::', 'hash')
    outcome = 'outdated'
  else
    local changes = {}
    for at, field in ipairs(CONTENT) do
      local given, old = content[field], before[at + 3]
      if given ~= nil and given ~= old and not (field == 'price' and given and old and tonumber(given) == tonumber(old)) then
        changes[#changes + 1] = { field, old or nil, given or nil }
        fields[#fields + 1] = field
      end
    end
    if #changes == 0 then
      touch(id, vendor, now)
    else
      change(id, vendor, sku, before[2], changes, now)
      outcome = 'changed'
    end
  end
  redis.call('HINCRBY', 'H:CATALOG.VENDOR::' .. vendor .. '::', outcome, '1')
  return { 'id', id, 'outcome', outcome, 'fields', fields }
end

local function on_error(raised)
  return type(raised) == 'table' and raised or { err = 'ERR ' .. tostring(raised) }
end

redis.register_function('twin_upsert_product', function(_, args)
  local _, result = xpcall(function() return upsert(args) end, on_error)
  return result
end)
