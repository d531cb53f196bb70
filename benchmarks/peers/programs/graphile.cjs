// Graphile Worker as its documentation starts it: each job is taken and completed by itself.
const { Logger, run, runMigrations } = require("graphile-worker");

const [action, connectionString, concurrency] = process.argv.slice(2);
const logger = new Logger(() => (level, message) => (level === "error" ? console.error(message) : undefined));

async function main() {
  if (action === "prepare") return runMigrations({ connectionString, logger });
  const jobs = Number(concurrency);
  await run({ connectionString, logger, concurrency: jobs, maxPoolSize: jobs, taskList: { noop: async () => {} } });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
