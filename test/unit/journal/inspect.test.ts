import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectJournal, verifyJournal } from '../../../src/journal/inspect.js';
import { RecordKind } from '../../../src/journal/record.js';
import { settled } from './virtual-time.js';
import { answerOf, appendAndWait, directory, openWorld, record } from './world.js';

test('inspect and verify tell what lies there, while the journal is in use', async () => {
  const { fs, journal } = await openWorld();
  await answerOf(journal, [record('one'), record('two', RecordKind.rejected)]);
  await journal.cut();
  await answerOf(journal, [{ ...record('three', RecordKind.attributes), rows: 7 }]);
  await settled();
  for (const look of [inspectJournal, verifyJournal]) {
    const report = await look(directory, fs);
    const { segments, ...rest } = report;
    assert.deepEqual(rest, {
      directory,
      unknownFiles: [],
      quarantine: [],
      unshippedBytes: 120,
      unshippedRows: 9,
      sound: true,
    });
    assert.deepEqual(
      segments.map(({ state, bytes, fileBytes }) => ({ state, bytes, fileBytes })),
      [
        { state: 'sealed', bytes: 80, fileBytes: 20480 },
        { state: 'open', bytes: 40, fileBytes: 20480 },
        { state: 'open', bytes: 0, fileBytes: 20480 },
      ],
    );
    assert.deepEqual(segments[0]?.kinds, [
      { kind: 'telemetry', records: 1, rows: 1, bytes: 3 },
      { kind: 'attributes', records: 0, rows: 0, bytes: 0 },
      { kind: 'rejected', records: 1, rows: 1, bytes: 3 },
    ]);
    assert.equal(segments[1]?.kinds[1]?.rows, 7);
  }
  assert.equal(await appendAndWait(journal, 'still works'), 'durable');
  await journal.close();
});

test('verify finds a damaged payload, inspect reads headers; neither writes', async () => {
  const { fs, journal } = await openWorld();
  await appendAndWait(journal, 'one');
  await appendAndWait(journal, 'two');
  await journal.close();
  const sealed = fs.paths().find((path) => path.endsWith('.sealed')) ?? '';
  fs.content(sealed)[4096 + 32] = 0;
  await fs.open(`${directory}/notes.txt`, 'create');
  const writes = fs.writes;
  assert.equal((await inspectJournal(directory, fs)).sound, true);
  const report = await verifyJournal(directory, fs);
  assert.equal(report.sound, false);
  assert.deepEqual(report.unknownFiles, ['notes.txt']);
  assert.deepEqual(report.segments[0]?.damages, [
    { from: 4096, to: 4136, records: 1, rows: 1, acknowledged: true },
  ]);
  assert.equal(fs.writes, writes);
  fs.content(sealed)[0] = 0;
  const broken = await inspectJournal(directory, fs);
  assert.equal(broken.segments[0]?.problem, 'not a journal segment');
});

test('a file that is renamed while it is looked for is found under its new name', async () => {
  const { fs, journal } = await openWorld();
  await appendAndWait(journal, 'one');
  await settled();
  const listed = fs.list.bind(fs);
  let first = true;
  fs.list = async (path) => {
    const names = await listed(path);
    if (first) {
      first = false;
      await journal.cut();
    }
    return names;
  };
  const report = await verifyJournal(directory, fs);
  const states = report.segments.map(({ state, bytes }) => ({ state, bytes }));
  assert.deepEqual(states[0], { state: 'sealed', bytes: 40 });
  await journal.close();
});

test('a directory that is not there is one clear error', async () => {
  await assert.rejects(verifyJournal('/nowhere/at/all'), { code: 'SLUICE_DATA_UNUSABLE' });
});
