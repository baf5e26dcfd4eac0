package state

import "github.com/redis/go-redis/v9"

// What is rare and small is written by these: each compares first and then writes, or answers with what it found. What is much goes
// through write.

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
