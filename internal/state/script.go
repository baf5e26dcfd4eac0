package state

import "github.com/redis/go-redis/v9"

// All writes to a shard's keys go through these. Each compares first and then writes, or answers with what it
// found. Lists are handed to commands in portions, for Lua unpacks only some thousands of values at once.

// writeScript writes changes and item runs under a guard: the shard's meta (Apply) or the claim (Rebuild.Put). Where no
// meta is expected there must be no claim either: an abandoned rebuild may have left keys of the generation.
//
//	KEYS  guard, claim, timers, items, one key per change
//	ARGV  guard's expected value ('' = none), its new value ('' = leave it), length of what precedes the customer's id
//	      in a key, number of changes, per change blob ('' = delete) and due ('' = no timer), then the item runs
var writeScript = redis.NewScript(`
local have = redis.call('GET', KEYS[1]) or ''
if have ~= ARGV[1] then return have end
if have == '' and redis.call('EXISTS', KEYS[2]) == 1 then return have end

local skip, changes = tonumber(ARGV[3]) + 1, tonumber(ARGV[4])
local set, del, arm, disarm = {}, {}, {}, {}
local sets, dels, arms, disarms = 0, 0, 0, 0
for i = 1, changes do
  local key, blob, due = KEYS[4 + i], ARGV[3 + 2 * i], ARGV[4 + 2 * i]
  if blob == '' then
    dels = dels + 1
    del[dels] = key
  else
    set[sets + 1], set[sets + 2] = key, blob
    sets = sets + 2
  end
  local id = string.sub(key, skip)
  if due == '' then
    disarms = disarms + 1
    disarm[disarms] = id
  else
    arm[arms + 1], arm[arms + 2] = due, id
    arms = arms + 2
  end
end
for i = 1, sets, 2000 do redis.call('MSET', unpack(set, i, math.min(i + 1999, sets))) end
for i = 1, dels, 2000 do redis.call('UNLINK', unpack(del, i, math.min(i + 1999, dels))) end
for i = 1, arms, 2000 do redis.call('ZADD', KEYS[3], unpack(arm, i, math.min(i + 1999, arms))) end
for i = 1, disarms, 2000 do redis.call('ZREM', KEYS[3], unpack(disarm, i, math.min(i + 1999, disarms))) end

local runs = 5 + 2 * changes
if ARGV[runs] then
  local last = redis.call('LINDEX', KEYS[4], -1)
  local reached = last and tonumber(string.sub(last, 1, 8), 16) or -1
  for i = runs, #ARGV do
    local first = tonumber(string.sub(ARGV[i], 1, 8), 16)
    if first > reached then
      redis.call('RPUSH', KEYS[4], ARGV[i])
      reached = first
    end
  end
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2]) end
return 1
`)

// turnScript begins a rebuild (any claim is replaced) or makes one visible.
//
//	KEYS  meta, claim
//	ARGV  expected meta ('' = none), expected claim ('*' = any), new meta ('' = leave it), new claim
var turnScript = redis.NewScript(`
local have = redis.call('GET', KEYS[1]) or ''
if have ~= ARGV[1] then return have end
if ARGV[2] ~= '*' and redis.call('GET', KEYS[2]) ~= ARGV[2] then return have end
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[4])
return 1
`)

// dropScript removes keys on behalf of the claim's holder. KEYS claim, keys to remove; ARGV the claim's expected value.
var dropScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '' end
return redis.call('UNLINK', unpack(KEYS, 2))
`)

// discardScript removes a meta that is no string, or is the one that its reader could not read. KEYS meta; ARGV what was read.
var discardScript = redis.NewScript(`
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`)
