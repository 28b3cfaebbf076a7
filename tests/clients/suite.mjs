// Runs a table of tests, name to function, none of them for ever, and prints its counts.
export async function run(tests) {
  let succeeded = 0, failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    let patience;
    try {
      await Promise.race([test(), new Promise((_, fail) => (patience = setTimeout(() => fail(new Error("It did not end.")), 180_000)))]);
      succeeded++;
    } catch (error) {
      failed++;
      console.log(`failed ${name}: ${error.stack}`);
    } finally {
      clearTimeout(patience);
    }
  }
  console.log(`  failed: ${failed}\n  succeeded: ${succeeded}\n  skipped: 0`);
  process.exitCode = failed ? 1 : 0;
}
