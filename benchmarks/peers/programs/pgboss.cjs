// pg-boss, one job at a time: fetch and complete, in as many loops as are asked for.
const PgBoss = require("pg-boss");

const [action, connectionString, loops] = process.argv.slice(2);

async function loop(boss) {
  for (;;) {
    const [job] = await boss.fetch("noop");
    if (job) await boss.complete("noop", job.id);
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function main() {
  const boss = new PgBoss({ connectionString, max: Number(loops || 2) });
  boss.on("error", console.error);
  await boss.start();
  await boss.createQueue("noop");
  if (action === "prepare") return boss.stop({ graceful: false });
  await Promise.all(Array.from({ length: Number(loops) }, () => loop(boss)));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
