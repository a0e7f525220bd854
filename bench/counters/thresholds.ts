/**
 * Upper bounds of what a message costs in counts, which are the same on a slow and on a fast
 * minute. A change that exceeds one is a regression; a change that stays well below one for good
 * should lower it.
 */
export interface Threshold {
  name: string;
  unit: string;
  most: number;
  /** Where the bound comes from. */
  reason: string;
}

export const thresholds = Object.freeze({
  socketCallsPerMessage: {
    name: 'socket reads and writes per message, one message in flight per connection',
    unit: '',
    most: 2.1,
    reason: 'one read brings a message, one write its PUBACK',
  },
  systemCallsPerMessage: {
    name: 'all system calls per message, one message in flight per connection',
    unit: '',
    most: 2.6,
    reason: 'beside read and write: polls, wake-ups and commits, shared by many messages',
  },
  socketWritesPerRead: {
    name: 'socket writes per read, 64 messages in flight per connection',
    unit: '',
    most: 1.05,
    reason: 'acknowledgements of a batch leave a connection in one write',
  },
  epollControlsPerMessage: {
    name: 'epoll_ctl calls per message, one message in flight per connection',
    unit: '',
    most: 0.05,
    reason: 'a connection is registered once, not once per message',
  },
  tasksPerThousand: {
    name: 'worker tasks per 1,000 messages at 50,000 messages/s and more',
    unit: '',
    most: 2,
    reason: 'handing over costs 20 to 40 µs, so a task carries at least 500 messages',
  },
  commitsPerSecond: {
    name: 'journal commits per second at 10,000 messages/s',
    unit: '/s',
    most: 1000,
    reason: 'a commit waits a millisecond for company (journal.groupDelayMs)',
  },
  journalBytesPerMessage: {
    name: 'journal bytes per message of three points, pipelined',
    unit: ' bytes',
    most: 140,
    reason: '3 rows × 44 bytes of columns, and the block’s head spread over a batch',
  },
  heapBytesPipelined: {
    name: 'heap bytes allocated per message on the main thread, pipelined',
    unit: ' bytes',
    most: 48,
    reason: 'no object per message: what is left is per read, batch and commit',
  },
  heapBytesPerRead: {
    name: 'heap bytes allocated per message on the main thread, one message per read',
    unit: ' bytes',
    most: 900,
    reason: 'Node’s stream layer allocates for each read and each write',
  },
} satisfies Record<string, Threshold>);

export type CounterName = keyof typeof thresholds;
