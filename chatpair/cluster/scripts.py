"""What the engine does in one go: who is a member, and whose a name is.

Keys, all in one slot, each after the prefix that --cluster says, if it says one:

    {chatpair}:epoch        WORD.RANDOM: new whenever data may be lost (connect.py tells when)
    {chatpair}:settling     set: members that have not claimed all names of their users in the epoch
                            yet, and "" while others may come that count on theirs
    {chatpair}:lease        seconds of the members' lease: all count on the same
    {chatpair}:nodes        hash: member -> JOIN:BEAT:TURN, all counted
    {chatpair}:dead         set: members that were, whose names are to be swept
    {chatpair}:stale        set: members of which another node knows that they were dead before
    {chatpair}:name:KEY     the member that owns the name with this key
    {chatpair}:look:a:LOOK  hash: key -> owner, of plain names with this skeleton
    {chatpair}:look:u:LOOK  the same of other names
    {chatpair}:of:MEMBER    hash: key of a name of its -> "a" or "u" and the skeletons, by lines

No key expires, so the engine's clock may do what it likes. A command may wait in a socket's buffer
while the engine is frozen, and run after others that were sent later on a new connection. So JOIN
tells the latest time a member joined from a late one, TURN the latest batch of claims and
releases, and BEAT whether a member is heard of since it was last seen.
"""

from hashlib import sha1

PREFIX = "{chatpair}:"

EPOCH = PREFIX + "epoch"

KEY = PREFIX + "nodes"
"""What the engine has to know of the keys of a script: all others are in the same slot."""

SWEPT = 500
"""Names of a dead member that are swept at a time."""


class Script:
    """A Lua script, and the name that the engine gives it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha1 = sha1(text.encode()).hexdigest()


_COMMON = r"""
local NODES = P .. 'nodes'

-- As redis.call; but what somebody else has made of a key is removed, if it is of another kind.
local function call(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE') then
    redis.call('DEL', key)
    if key == NODES then redis.call('DEL', P .. 'epoch') end  -- as if all was lost
  end
  return redis.call(command, key, ...)
end

local function parts(value)
  return string.match(value or '', '^(%d+):(%d+):(%d+)$')
end

-- Nothing if the caller is a member as it believes, else why not; and what is counted of it.
local function standing()
  if call('GET', P .. 'epoch') ~= ARGV[3] then return 'RESET' end
  local join, beat, turn = parts(call('HGET', NODES, ARGV[1]))
  if join ~= ARGV[2] then return 'DEAD' end
  return nil, tonumber(beat), tonumber(turn)
end

local function count(beat, turn)
  call('HSET', NODES, ARGV[1], string.format('%s:%.0f:%.0f', ARGV[2], beat, turn))
end

local function is_member(inc)
  return call('HEXISTS', NODES, inc) == 1
end

local function bury(inc)
  call('HDEL', NODES, inc)
  call('SREM', P .. 'stale', inc)
  call('SADD', P .. 'dead', inc)
end

local function members(first)
  local reply = {first, call('EXISTS', P .. 'settling'), call('SCARD', P .. 'dead')}
  for _, each in ipairs(call('HGETALL', NODES)) do reply[#reply + 1] = each end
  return reply
end

-- Take from a member the name with a key, of which `looks` was kept.
local function drop(inc, key, looks)
  if call('GET', P .. 'name:' .. key) == inc then call('DEL', P .. 'name:' .. key) end
  local prefix = P .. 'look:' .. string.sub(looks, 1, 1) .. ':'
  for look in string.gmatch(string.sub(looks, 2), '[^\n]+') do
    local hash = prefix .. look
    if call('HGET', hash, key) == inc then call('HDEL', hash, key) end
  end
end
"""


def _script(text: str) -> Script:
    return Script(
        f"local P, SWEPT = string.match(KEYS[1], '^(.*)nodes$'), {SWEPT}\n{_COMMON}{text}"
    )


JOIN = _script(r"""
-- ARGV: me, join, a new epoch, one that has ended, my lease, who was in the way as they were when
-- last seen, if they are dead, my former incs...
local me, join = ARGV[1], tonumber(ARGV[2])
local epoch = call('GET', P .. 'epoch')
if not epoch or epoch == ARGV[4] then
  epoch = ARGV[3]
  call('SET', P .. 'epoch', epoch)
  call('DEL', P .. 'settling')
  call('SADD', P .. 'settling', '')
end
for i = 7, #ARGV do
  if is_member(ARGV[i]) then bury(ARGV[i]) end
end
local lease, nodes = call('GET', P .. 'lease'), call('HGETALL', NODES)
local differs = lease and tonumber(lease) and lease ~= ARGV[5]
local id, others, seen = string.match(me, '^(.*)%.'), {}, {}
for i = 1, #nodes, 2 do
  local inc, value = nodes[i], nodes[i + 1]
  if inc == me then
    if (tonumber((parts(value))) or 0) >= join then return {'LATE'} end
  elseif differs or string.match(inc, '^(.*)%.') == id then
    others[#others + 1] = inc
    seen[#seen + 1] = inc .. ' ' .. value
  end
end
table.sort(seen)
seen = table.concat(seen, ', ')
if seen ~= '' and seen ~= ARGV[6] then
  return {differs and 'LEASE' or 'RIVAL', seen, lease}
end
for _, inc in ipairs(others) do bury(inc) end
call('SET', P .. 'lease', ARGV[5])
if call('SISMEMBER', P .. 'dead', me) + call('SISMEMBER', P .. 'stale', me) > 0 then
  return {'DEAD'}
end
call('HSET', NODES, me, join .. ':0:0')
if call('EXISTS', P .. 'settling') == 1 then call('SADD', P .. 'settling', me) end
local reply = members('MEMBER')
table.insert(reply, 2, epoch)
return reply
""")
"""Reply: MEMBER, epoch, then as HEARTBEAT; or DEAD; or RIVAL and what is counted of the one
who has the id; or LEASE, what is counted of the members, and their lease; or LATE."""

HEARTBEAT = _script(r"""
-- ARGV: me, join, epoch, whether I saw it settle long enough, whether I have claimed all names of
-- my users, how many seem dead, each of those and its value when last seen, those that have been
-- dead...
local refusal, beat, turn = standing()
if refusal then return {refusal} end
if call('SISMEMBER', P .. 'stale', ARGV[1]) == 1 then return {'DEAD'} end
count(beat + 1, turn)
if ARGV[4] == '1' then call('SREM', P .. 'settling', '') end
if ARGV[5] == '1' then call('SREM', P .. 'settling', ARGV[1]) end
local last = 6 + 2 * tonumber(ARGV[6])
for i = 7, last, 2 do
  if call('HGET', NODES, ARGV[i]) == ARGV[i + 1] then bury(ARGV[i]) end
end
for i = last + 1, #ARGV do
  if is_member(ARGV[i]) then call('SADD', P .. 'stale', ARGV[i]) end
end
for _, each in ipairs(call('SMEMBERS', P .. 'settling')) do
  if each ~= '' and not is_member(each) then call('SREM', P .. 'settling', each) end
end
return members('MEMBER')
""")
"""Reply: MEMBER, 1 while settling, how many dead are to be swept, members and values; or RESET,
or DEAD."""

LEAVE = _script(r"""
-- ARGV: me, join, epoch
if not standing() then bury(ARGV[1]) end
if call('EXISTS', NODES) == 1 then return 0 end
return call('SCARD', P .. 'dead')
""")
"""Reply: how many dead are to be swept by the caller, as there is no other member."""

NAMES = _script(r"""
-- ARGV: me, join, epoch, turn, how many releases, their keys...,
-- for each claim: again or new, a or u, the key, how many skeletons, the skeletons...
local me, turn = ARGV[1], tonumber(ARGV[4])
local refusal, beat, done = standing()
if refusal then return {refusal} end
if turn <= done then return {'LATE'} end
count(beat, turn)
local settling = call('EXISTS', P .. 'settling') == 1

local function release(key)
  local looks = call('HGET', P .. 'of:' .. me, key)
  if looks then
    drop(me, key, looks)
    call('HDEL', P .. 'of:' .. me, key)
  end
end

-- Whether a member has a name among these; mine with this very key does not count.
local function is_among(hash, mine)
  local cursor = '0'
  repeat
    local page = call('HSCAN', hash, cursor, 'COUNT', 50)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      local key, inc = page[2][i], page[2][i + 1]
      if is_member(inc) and not (inc == me and key == mine) then return true end
    end
  until cursor == '0'
  return false
end

local function is_taken(kind, key, first, last)
  local owner = call('GET', P .. 'name:' .. key)
  if owner and owner ~= me and is_member(owner) then return true end
  for i = first, last do
    if is_among(P .. 'look:u:' .. ARGV[i], key) then return true end
    if kind == 'u' and is_among(P .. 'look:a:' .. ARGV[i], key) then return true end
  end
  return false
end

local function claim(mode, kind, key, first, last)
  if settling and mode == 'new' then return 'later' end
  if is_taken(kind, key, first, last) then return 'taken' end
  release(key)
  call('SET', P .. 'name:' .. key, me)
  for i = first, last do call('HSET', P .. 'look:' .. kind .. ':' .. ARGV[i], key, me) end
  call('HSET', P .. 'of:' .. me, key, kind .. table.concat(ARGV, '\n', first, last))
  return 'yours'
end

local reply, at = {'MEMBER'}, 6 + tonumber(ARGV[5])
for i = 6, at - 1 do release(ARGV[i]) end
while at <= #ARGV do
  local first, last = at + 4, at + 3 + tonumber(ARGV[at + 3])
  reply[#reply + 1] = claim(ARGV[at], ARGV[at + 1], ARGV[at + 2], first, last)
  at = last + 1
end
return reply
""")
"""Reply: MEMBER and "yours", "taken" or "later" for each claim; or RESET, or DEAD, or LATE."""

LOCATE = _script(r"""
-- ARGV: me, join, epoch, the key of a name
local refusal = standing()
if refusal then return {refusal} end
local owner = call('GET', P .. 'name:' .. ARGV[4])
return {'MEMBER', owner and is_member(owner) and owner or ''}
""")
"""Reply: MEMBER and the member that has the name, or nothing; or RESET, or DEAD."""

SWEEP = _script(r"""
-- ARGV: me, join, epoch; or of one who has left as the last
local may = not standing() or call('EXISTS', NODES) == 0
local inc = may and call('SRANDMEMBER', P .. 'dead')
if not inc then return 0 end
local of = P .. 'of:' .. inc
local names = call('HRANDFIELD', of, SWEPT, 'WITHVALUES')
for i = 1, #names, 2 do
  drop(inc, names[i], names[i + 1])
  call('HDEL', of, names[i])
end
if call('EXISTS', of) == 0 then call('SREM', P .. 'dead', inc) end
return call('SCARD', P .. 'dead')
""")
"""Reply: how many dead are to be swept still."""

PROBE = Script(r"""
-- All that scripts call, on a key that is not there before and after.
local calls = 'SET v,GET,EXISTS,DEL,HSET f v,HGET f,HEXISTS f,HGETALL,HSCAN 0,HRANDFIELD 1,HDEL f,'
  .. 'SADD v,SCARD,SISMEMBER v,SMEMBERS,SRANDMEMBER,SREM v'
for call in string.gmatch(calls, '[^,]+') do
  local words = {}
  for word in string.gmatch(call, '%S+') do words[#words + 1] = word end
  local reply = redis.pcall(words[1], KEYS[1], unpack(words, 2))
  if type(reply) == 'table' and reply.err then
    return redis.error_reply(reply.err .. ' (' .. words[1] .. ')')
  end
end
""")
"""Takes a key of its own. Reply: nothing; or why a command can't be had, and which."""
