/**
 * What a decoding thread hands over with each block of rows: their columns lie in memory that both threads share, and beside them goes what
 * the block added to the thread's tables. The run's tables take that in when the block's turn has come, in the order in which the thread
 * met it, so names and addresses have the same numbers as if one thread had done it all.
 */
import { type Capture, type Issue, type Messages, NONE, type Vantage } from '../model.ts'
import { BLOCK_ROWS } from '../wire/decoder.ts'
import { Encrypted } from '../wire/encrypted.ts'
import type { Issues } from '../wire/issues.ts'
import { newMessages } from '../wire/messages.ts'
import { newTables, type Tables } from '../wire/tables.ts'

/** A block's columns, which two threads may look at. Names of columns as in Messages. */
export type Columns = Omit<Messages, 'length' | 'answers'>

/** Beside what is shared. */
export interface Handover {
  /** Number of the shared block that holds the rows; null where one frame brought so many that they come as copies. */
  block: number | null
  copies: Columns | null
  length: number
  /** Wire forms, one after the other, each behind its length; null without new ones. */
  names: Uint8Array | null
  addresses: string[]
  vantages: Vantage[]
  encrypted: Added[]
  /** The capture's record as it stands now, and all its issues where there are new ones. */
  capture: Partial<Capture>
  issues: Issue[] | null
  /** False: there are no more rows, and none with this. */
  more: boolean
}

type Added = Parameters<Encrypted['add']>

/** Blocks of one capture: one is looked at, the others are being filled. */
const BLOCKS = 3

/** What the blocks of one capture are made of. */
export interface SharedBlocks {
  columns: Columns[]
  /** By block: 1 while it is being filled, waits, or is looked at. */
  taken: Int32Array
}

export const newSharedBlocks = (): SharedBlocks => ({
  columns: Array.from({ length: BLOCKS }, sharedColumns),
  taken: new Int32Array(new SharedArrayBuffer(4 * BLOCKS)),
})

/** The columns of a block in shared memory. */
export function sharedColumns(): Columns {
  const columns: Record<string, unknown> = {}
  for (const [name, values] of Object.entries(newMessages(BLOCK_ROWS, false))) {
    if (name === 'length') continue
    const column = values as Uint8Array
    const Column = column.constructor as Uint8ArrayConstructor
    const shared = new SharedArrayBuffer(column.byteLength) as unknown as ArrayBuffer
    columns[name] = Buffer.isBuffer(column) ? column : new Column(shared)
  }
  return columns as unknown as Columns
}

/** The blocks of one capture, as one of the two threads sees them. */
export class Blocks {
  readonly columns: readonly Columns[]
  private readonly taken: Int32Array

  constructor({ columns, taken }: SharedBlocks) {
    this.columns = columns
    this.taken = taken
  }

  /** The number of a block that nobody uses; NONE without. */
  takeFree(): number {
    for (let block = 0; block < this.columns.length; block++)
      if (Atomics.compareExchange(this.taken, block, 0, 1) === 0) return block
    return NONE
  }

  giveBack(block: number): void {
    Atomics.store(this.taken, block, 0)
  }
}

// -- In the decoding thread -----------------------------------------------------------------------------------------------------------

/** Keeps what it is told for the run's own. */
class Recorder extends Encrypted {
  told: Added[] = []

  override add(...added: Added): void {
    this.told.push(added)
  }
}

/** The tables of one capture in a decoding thread, and how much of them was handed over. */
export class Outbox {
  private readonly recorder = new Recorder()
  readonly tables: Tables = { ...newTables(), encrypted: this.recorder }
  private names = 0
  private addresses = 0
  private vantages = 0
  private issues = 0

  /** What is new since the last time. */
  gather(capture: Capture, issues: Issues, atEnd: boolean): Omit<Handover, 'block' | 'copies' | 'length' | 'more'> {
    const { tables, recorder } = this
    const { names, comments, filters, ...counts } = capture
    const list = issues.list
    const issueCount = list.reduce((sum, { count }) => sum + count, 0)
    const handover = {
      names: this.newNames(),
      addresses: Array.from({ length: tables.addresses.size - this.addresses }, (_, i) =>
        tables.addresses.text(this.addresses + i),
      ),
      vantages: tables.vantages.list.slice(this.vantages),
      encrypted: recorder.told,
      // What people wrote into a file may be long: once is enough.
      capture: atEnd ? capture : counts,
      issues: issueCount > this.issues ? list : null,
    }
    this.addresses = tables.addresses.size
    this.vantages = tables.vantages.list.length
    this.issues = issueCount
    recorder.told = []
    return handover
  }

  private newNames(): Uint8Array | null {
    const { names } = this.tables
    if (names.size === this.names) return null
    const forms: Uint8Array[] = []
    for (; this.names < names.size; this.names++) {
      const form = names.wire(this.names)
      forms.push(Uint8Array.of(form.length), form)
    }
    return Buffer.concat(forms)
  }
}

// -- In the thread of the analysis ----------------------------------------------------------------------------------------------------

/** The run's numbers for what a decoding thread has numbered. */
export class Inbox {
  private readonly tables: Tables
  private readonly names = new Numbers()
  private readonly addresses = new Numbers()
  private readonly vantages = new Numbers()

  constructor(tables: Tables) {
    this.tables = tables
  }

  /** Takes in what came with a block, and gives the rows of `messages` the run's numbers. */
  take(handover: Handover, messages: Messages, capture: Capture, issues: Issues): void {
    const { tables } = this
    for (const text of handover.addresses) this.addresses.add(tables.addresses.intern(text))
    for (const { file, index, name, linkType } of handover.vantages)
      this.vantages.add(tables.vantages.intern(file, index, name, linkType))
    if (handover.names) this.takeNames(handover.names)
    for (const [client, clientPort, server, over, seconds] of handover.encrypted)
      tables.encrypted.add(this.addresses.of(client), clientPort, this.addresses.of(server), over, seconds)
    Object.assign(capture, handover.capture)
    if (handover.issues) for (const issue of handover.issues) issues.put(issue)
    const { length } = handover
    this.addresses.translate(messages.from, length)
    this.addresses.translate(messages.to, length)
    this.vantages.translate(messages.vantage, length)
    this.names.translate(messages.qname, length)
    this.names.translate(messages.cname, length)
  }

  private takeNames(copied: Uint8Array): void {
    const forms = Buffer.from(copied.buffer, copied.byteOffset, copied.byteLength)
    for (let at = 0; at < forms.length; ) {
      const end = at + 1 + forms[at]
      this.names.add(this.tables.names.internWire(forms, at + 1, end))
      at = end
    }
  }
}

/** The run's number of each of the thread's. */
class Numbers {
  private numbers = new Int32Array(64)
  private size = 0
  /** All of them are the same here and there: of one capture, mostly. */
  private areSame = true

  add(number: number): void {
    if (this.size === this.numbers.length) {
      const larger = new Int32Array(2 * this.size)
      larger.set(this.numbers)
      this.numbers = larger
    }
    if (number !== this.size) this.areSame = false
    this.numbers[this.size++] = number
  }

  of(number: number): number {
    return number === NONE ? NONE : this.numbers[number]
  }

  translate(column: Int32Array, length: number): void {
    if (this.areSame) return
    const { numbers } = this
    for (let i = 0; i < length; i++) if (column[i] !== NONE) column[i] = numbers[column[i]]
  }
}
