/**
 * The command line: every command and every option, each only read and handed on to commands.ts. Alone knows `process`: streams, exit
 * status, Ctrl-C, a broken pipe. What is imported here is loaded for --help, which has to be quick.
 */
import { existsSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import {
  addName,
  addRole,
  addTunnel,
  type ComparedFiles,
  commaList,
  commandLike,
  comparedFiles,
  isRead,
  ndotsOf,
  portList,
  spanOf,
  unreadSentence,
  valid,
} from './arguments.ts'
import * as commands from './commands.ts'
import { ROLES, UserError } from './model.ts'
import { durationOf, type LookupChoice, limitOf, SORTS } from './report/lookup-choice.ts'
import { OUTPUTS } from './report/output.ts'
import { ANALYSED, COULD_NOT_ANALYSE, Run } from './run.ts'
import { complain, type Streams, screenWidth } from './streams.ts'
import type { Change } from './trace/change.ts'
import { VERSION } from './version.ts'
import { TUNNEL_NAMES } from './wire/ports.ts'

const EXAMPLES = `
Examples:
  dnstrail node-a.pcap node-b.pcap             an incident seen from two nodes
  tcpdump -i any -w - port 53 | dnstrail -     live; Ctrl-C ends it and reports
  hubble observe -f -o json | dnstrail watch   flows, on a screen as they come
  dnstrail lookups -n shop -o csv node-a.pcap  every lookup of a namespace
  dnstrail --resources all.json node-a.pcap    with names of pods and services
  dnstrail --fail-on problem node-a.pcap       for scripts
  dnstrail explain ndots-waste                 what a finding means, what to do

Exit status: 0 analysed, 1 a finding of --fail-on, 2 could not analyse.
`

/** Runs `dnstrail` for the process; `argv` as in process.argv. */
export async function main(argv: string[]): Promise<void> {
  // `dnstrail capture | head`: whoever reads has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ANALYSED)
    throw error
  })
  const { env } = process
  const onInterrupt = (stop: () => void) => process.once('SIGINT', stop)
  // Not process.exit: what is still to be written has to leave first.
  process.exitCode = await run(argv, {
    // Node makes a stream when somebody asks for it.
    get stdin() {
      return process.stdin
    },
    get stderr() {
      return process.stderr
    },
    stdout: process.stdout,
    env,
    onInterrupt,
    onLeave,
  })
}

/** What a shell adds a signal's number to. */
const KILLED = 128

function onLeave(leave: () => void, comeBack: () => void): () => void {
  const ends = { SIGTERM: 15, SIGHUP: 1, SIGQUIT: 3 } as const
  const listeners: [NodeJS.Signals, () => void][] = [
    ...Object.entries(ends).map(([signal, number]): [NodeJS.Signals, () => void] => [
      signal as NodeJS.Signals,
      () => process.exit(KILLED + number),
    ]),
    [
      'SIGTSTP',
      () => {
        leave()
        process.kill(process.pid, 'SIGSTOP')
      },
    ],
    ['SIGCONT', comeBack],
  ]
  for (const [signal, listener] of listeners) process.on(signal, listener)
  process.on('exit', leave)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
    process.off('exit', leave)
  }
}

/** Gives the exit status. */
export async function run(argv: string[], streams: Streams): Promise<number> {
  const root = new Command('dnstrail')
  const run = new Run(root, streams)
  try {
    await declare(root, run).parseAsync(argv)
    return run.status
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return ANALYSED
      if (error.code !== 'commander.help') complain(streams, error.message.replace(/^error: /, ''))
      return COULD_NOT_ANALYSE
    }
    if (!(error instanceof UserError)) throw error
    complain(streams, error.message)
    return COULD_NOT_ANALYSE
  }
}

/** All that the user can say, and what is to be done then. */
function declare(root: Command, run: Run): Command {
  const { streams } = run
  root
    .description(
      'Follows every DNS lookup of a Kubernetes cluster through search domains, caches and servers, from packet captures.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .configureOutput({
      writeOut: text => streams.stdout.write(text),
      writeErr: text => streams.stderr.write(text),
      // Said once, by `run`.
      outputError: () => {},
      getOutHelpWidth: () => screenWidth(streams),
      getErrHelpWidth: () => screenWidth(streams),
    })
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: command =>
        command.parent ? root.options.filter(option => isRead(command.name(), option.attributeName())) : [],
      subcommandTerm: command => `${command.name()} ${command.usage().replace('[options] ', '')}`,
    })
    .argument('[capture...]', `pcap, pcapng or Hubble's JSON; "-" is stdin`)
    .addOption(new Option('-o, --output <form>', 'how it is written').choices(OUTPUTS).default('text'))
    .optionsGroup('Filters:')
    .option('-n, --namespace <name>', 'lookups by this namespace')
    .option(
      '--pod <pod>',
      'lookups by this pod: NAMESPACE/POD, POD, its beginning up to a "-", its workload or its address',
    )
    .option('--name <name>', 'lookups, or messages, of this name; *.NAME: of those below it')
    .option('--since <time>', 'from this time on, as in 2026-11-21T02:51:09Z')
    .option('--until <time>', 'up to this time')
    .optionsGroup('Hints (without them everything is inferred):')
    .option('--resources <file>', 'kubectl get pods,svc,endpointslices,nodes -A -o json')
    .option('--role <role=address,...>', `${ROLES.filter(role => role !== 'unknown').join(', ')}; repeatable`, addRole)
    .option('--resolv-conf <file>', "/etc/resolv.conf of the cluster's pods")
    .option('--cluster-domain <name>', 'where it is not cluster.local')
    .option('--dns-port <port,...>', 'DNS servers listen there too', portList)
    .option('--tunnel <kind=port,...>', `${TUNNEL_NAMES.join(', ')}; repeatable`, addTunnel)
    .optionsGroup('Findings ("dnstrail explain" lists the codes):')
    .option('--findings <code,...>', 'only these', commaList)
    .option('--ignore <code,...>', 'all but these', commaList)
    .option('--fail-on <code,...>', 'exit status 1 if found; or problem, warning, info', commaList)
    .optionsGroup('Other:')
    .option('--color', 'colours even in a pipe')
    .option('--no-color', 'no colours (also NO_COLOR=1)')
    .addHelpText('after', EXAMPLES)
    .helpCommand('help [command]', 'the help of a command')
    .hook('preAction', (_, command) => refuseUnread(root, command, run))
    .action((files: string[]) => {
      refuseCommandLike(files[0])
      return commands.report(run, files)
    })

  const command = (name: string, description: string, action: (files: string[]) => Promise<void>) =>
    root.command(name).description(description).argument('[capture...]').action(action)
  root.commandsGroup('Commands:')
  command('analyze', 'the report: what was captured, failures, waste, latency (the default)', files =>
    commands.report(run, files),
  )
  const list = command('lookups', 'every question of an application, one a line', files =>
    commands.lookups(run, files, list.opts<Partial<LookupChoice>>()),
  )
  list
    .option('--failed', 'only those that did not get what was asked')
    .option('--slower <time>', 'only those that waited longer, as in 100ms, 1.5s, 250us', valid(durationOf))
    .option('--wasteful', 'only those with queries that were not needed')
    .option('--limit <count>', 'no more than so many', valid(limitOf))
    .addOption(
      new Option(
        '--sort <order>',
        'start, longest wait, or most waste first; wait and waste print at the end, and without --limit keep all in memory',
      )
        .choices(SORTS)
        .default('start'),
    )
  root
    .command('show')
    .description('one lookup as a waterfall: an id from "lookups", or a name for its slowest')
    .usage('[capture...] <id>')
    .argument('<capture...>')
    .option('-v, --verbose', 'and its messages, decoded in full')
    .action((all: string[], { verbose = false }: { verbose?: boolean }) => commands.show(run, all, verbose))
  root
    .command('what-if')
    .description('the same lookups under another configuration: what it saves, what it breaks')
    .argument('[capture...]')
    .option('--ndots <number>', 'from so many dots on, a name is asked as it is first', valid(ndotsOf))
    .option('--trailing-dot <name>', 'this name would end with a dot; repeatable', addName)
    .option('--drop-suffix <domain>', 'this domain would not be searched; repeatable', addName)
    .option('--autopath', 'CoreDNS would walk the search list for its pods')
    .option('--node-local-cache', 'every node would have a DNS cache')
    .action((files: string[], change: Partial<Change>) => commands.whatIf(run, files, change))
  root
    .command('compare')
    .description('before and after a change: what differs by more than noise, findings that came and went')
    .usage('<before> <after>')
    .argument('[before]')
    .argument('[after]')
    .option('--before <capture...>', 'where there are several')
    .option('--after <capture...>', 'where there are several')
    .action((before: string | undefined, after: string | undefined, flags: Partial<ComparedFiles>) =>
      commands.compare(run, comparedFiles(before, after, flags)),
    )
  const watching = command('watch', 'a live capture on a screen; in a pipe one ndjson line per lookup', files =>
    commands.watch(run, files, watching.opts<{ every?: number }>().every),
  )
  watching.option('--every <time>', 'a short report per span instead, as in 10s, 1m', valid(spanOf))
  command('hops', 'every query to every server, one a line', files => commands.hops(run, files))
  command('messages', 'every DNS message on the wire, one a line', files => commands.messages(run, files))
  root
    .command('explain')
    .description('what a finding means and what to do; without a code, all of them')
    .argument('[code]')
    .action((code: string | undefined) => commands.explain(run, code))
  return root
}

function refuseUnread(root: Command, command: Command, run: Run): void {
  const name = command === root ? 'analyze' : command.name()
  for (const option of root.options) {
    const flag = option.attributeName()
    if (run.isGiven(flag) && !isRead(name, flag))
      throw new UserError(unreadSentence(name, option.long ?? option.flags, flag))
  }
}

/** A command with a slip of the finger is taken for a capture, since the report needs no command. */
function refuseCommandLike(file: string | undefined): void {
  const command = file === undefined || existsSync(file) ? null : commandLike(file)
  if (command !== null) throw new UserError(`There is no file ${file}; did you mean the command ${command}?`)
}
