/** A database of a later version than this program understands is refused, never changed. */
export const SCHEMA_VERSION = 1

/**
 * What is searched for stands beside the JSON, in indexes that hold all that a list asks for: pages and counts read no
 * entry that they do not give.
 */
export const SCHEMA = `
CREATE TABLE recording (
  id TEXT NOT NULL PRIMARY KEY,
  created_ms INTEGER NOT NULL,
  room TEXT NOT NULL,
  user TEXT,
  status TEXT NOT NULL,
  is_live INTEGER NOT NULL,
  is_automatic INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  entry TEXT NOT NULL
) STRICT;
CREATE INDEX recording_by_time ON recording (created_ms, id, status, room, user);
CREATE INDEX recording_by_room ON recording (room, created_ms, id, status, user);
CREATE INDEX recording_by_user ON recording (user, created_ms, id, status, room);
CREATE INDEX recording_by_status ON recording (status, created_ms, id, room, user);
CREATE INDEX recording_live ON recording (created_ms, id) WHERE is_live = 1;
CREATE INDEX recording_limited ON recording (user) WHERE is_live = 1 AND is_automatic = 0 AND status <> 'processing';

CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  time_ms INTEGER NOT NULL,
  event TEXT NOT NULL
) STRICT;

-- place: the order within a key; is_head: the oldest unfinished of its key, or one without a key
-- ready_ms: when it can be claimed: due while it waits, end of its lease while it runs
CREATE TABLE task (
  added INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  queue TEXT NOT NULL,
  key TEXT,
  priority INTEGER NOT NULL,
  place INTEGER NOT NULL,
  is_head INTEGER NOT NULL,
  state TEXT NOT NULL,
  ready_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  created_ms INTEGER NOT NULL,
  begun_ms INTEGER,
  finished_ms INTEGER,
  attempts INTEGER NOT NULL,
  worker TEXT,
  log TEXT NOT NULL,
  progress TEXT NOT NULL,
  result TEXT NOT NULL,
  payload TEXT NOT NULL
) STRICT;
CREATE INDEX task_heads ON task (queue, priority DESC, place, ready_ms) WHERE is_head = 1;
CREATE INDEX task_ready ON task (queue, ready_ms) WHERE is_head = 1;
CREATE INDEX task_order ON task (queue, key, place) WHERE state IN ('waiting', 'running');
CREATE INDEX task_expiry ON task (queue, expires_ms) WHERE state IN ('waiting', 'running') AND expires_ms IS NOT NULL;
CREATE INDEX task_list ON task (queue, key, added);
CREATE INDEX task_states ON task (queue, state, added);
CREATE INDEX task_finished ON task (queue, finished_ms) WHERE finished_ms IS NOT NULL;
CREATE TABLE place (next INTEGER NOT NULL) STRICT;
INSERT INTO place VALUES (1);

CREATE TABLE probe (looks INTEGER NOT NULL) STRICT;
INSERT INTO probe VALUES (0);
PRAGMA user_version = ${SCHEMA_VERSION};
`
