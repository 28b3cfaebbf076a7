// Runs a table of tests, name to function, and prints its counts.
export async function run(tests) {
  let succeeded = 0, failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      succeeded++;
    } catch (error) {
      failed++;
      console.log(`failed ${name}: ${error.stack}`);
    }
  }
  console.log(`  failed: ${failed}\n  succeeded: ${succeeded}\n  skipped: 0`);
  process.exitCode = failed ? 1 : 0;
}
