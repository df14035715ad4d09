-- A window is healthy while all is as planned, however far ahead it is: also before its start, on air and when over.
local function health(status, message)
  return { status = status, message = message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "Being deleted")
end

local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "Not seen by the operator yet")
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function said(kind)
  return conditions[kind].reason .. ": " .. conditions[kind].message
end

if holds("Stalled") then
  return health("Degraded", said("Stalled"))
end
if holds("Suspended") then
  return health("Suspended", said("Suspended"))
end
if holds("Ready") then
  return health("Healthy", said("Ready"))
end
if conditions["Ready"] ~= nil then
  return health("Progressing", said("Ready"))
end
return health("Progressing", "Not judged by the operator yet")
