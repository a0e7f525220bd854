import { spawnSync } from 'node:child_process';

/** A program of another project that some tests talk to. */
export interface DebianPackage {
  readonly name: string;
  /** A shell command that succeeds where the program is there, whatever installed it. */
  readonly probe: string;
  /** What the text of a test that uses it contains. */
  readonly usedBy: RegExp;
}

export const debianPackages: readonly DebianPackage[] = Object.freeze([
  {
    name: 'mosquitto',
    probe: 'command -v mosquitto || test -x /usr/sbin/mosquitto',
    usedBy: /['"`/]mosquitto['"`]/,
  },
  {
    name: 'mosquitto-clients',
    probe: 'command -v mosquitto_pub && command -v mosquitto_sub',
    usedBy: /\bmosquitto_(?:pub|sub)\b/,
  },
  { name: 'curl', probe: 'command -v curl', usedBy: /['"`]curl['"`]/ },
  {
    name: 'python3-paho-mqtt',
    probe: '/usr/bin/python3 -c "import paho.mqtt.client"',
    usedBy: /\bpaho\b/,
  },
  {
    name: 'haproxy',
    probe: 'command -v haproxy || test -x /usr/sbin/haproxy',
    usedBy: /['"`/]haproxy['"`]/,
  },
  { name: 'strace', probe: 'command -v strace', usedBy: /['"`]strace['"`]/ },
]);

/** Installs what is missing where that needs no question; returns what is missing still. */
export function ensurePackages(wanted: readonly DebianPackage[]): DebianPackage[] {
  const missing = wanted.filter(({ probe }) => !succeeds(probe));
  if (missing.length === 0 || process.getuid?.() !== 0 || !succeeds('command -v apt-get')) {
    return missing;
  }
  const names = missing.map(({ name }) => name).join(' ');
  console.log(`installing ${names}`);
  const install = `apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 ${names}`;
  if (!succeeds(install)) succeeds(`apt-get update -qq && ${install}`);
  return missing.filter(({ probe }) => !succeeds(probe));
}

function succeeds(command: string): boolean {
  // RUNLEVEL=1: a package that brings a service (mosquitto) must not start it on our ports.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return spawnSync('sh', ['-c', command], { stdio: 'ignore', env }).status === 0;
}
