/**
 * A second process for the tests of the registry: does one thing in the folder of its first
 * argument, says `ready` on standard output when it is done, and ends when its input ends.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.js';
import { silentLogger } from '../../src/core/logger.js';
import { openDataDirectory } from '../../src/registry/data-dir.js';
import { openSqliteFile } from '../../src/registry/sqlite.js';
import { openSqliteRegistry } from '../../src/registry/sqlite-registry.js';

const [folder = '', action = '', name = ''] = process.argv.slice(2);

switch (action) {
  case 'lock': {
    const directory = await openDataDirectory(folder);
    const node = { version: '1.2.3', ports: { mqtt: 1883 }, hosts: { mqtt: '127.0.0.1' } };
    directory.writeNodeFile({ pid: process.pid, startedAt: 1, ...node });
    break;
  }
  case 'hold-write-lock': {
    const file = await openSqliteFile(join(folder, 'registry.sqlite'), { lockWaitMs: 1_000 });
    file.execute('BEGIN IMMEDIATE');
    process.stdin.once('data', () => file.execute('COMMIT'));
    break;
  }
  case 'disable':
  case 'rotate':
  case 'delete':
  case 'create': {
    const registry = await openSqliteRegistry(systemClock(), silentLogger, folder);
    process.stdout.write('open\n');
    await once(process.stdin, 'data');
    const device = await registry.findDeviceByName(name);
    if (action === 'create') await registry.createDevice({ name, token: name });
    if (action === 'disable' && device) await registry.updateDevice(device.id, { enabled: false });
    if (action === 'rotate' && device) await registry.rotateToken(device.id, undefined, 0);
    if (action === 'delete' && device) await registry.deleteDevice(device.id);
    await registry.close();
    break;
  }
  case 'import': {
    const registry = await openSqliteRegistry(systemClock(), silentLogger, folder);
    process.stdout.write('open\n');
    await once(process.stdin, 'data');
    const imported = registry.importDevices({ dryRun: false });
    const rest = { token: undefined, profile: undefined, label: undefined, gateway: undefined };
    for (let batch = 0; batch < 20; batch += 1) {
      const rows = Array.from({ length: 1000 }, (_, row) => ({ name: `${batch} ${row}`, ...rest }));
      await imported.add(rows);
    }
    await imported.finish();
    await registry.close();
    break;
  }
  default:
    throw new Error(`unknown action ${action}`);
}
process.stdout.write('ready\n');
process.stdin.once('end', () => process.exit(0));
process.stdin.resume();
