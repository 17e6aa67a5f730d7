# Every command we run; CI runs the same ones.
.PHONY: demo test ci needs pictures bench

# Builds everything and runs it: server, demo world, a kiosk and its screen. Ctrl-C stops all of it.
demo:
	scripts/demo

# All tests, on SQLite and on PostgreSQL, with real programs and a real browser.
# The programs are built beside the test program, so that both use their dependencies with the same features: compiled once.
test: needs
	cargo build --locked --workspace --bins --test turnout
	cargo test --locked --workspace

# What a change must pass before it is pushed.
ci: needs
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
	$(MAKE) test

# Installs what the tests need where it is missing (Debian): PostgreSQL, Chromium, fonts, zbar.
needs:
	scripts/needs

# Takes the pictures of the README and of docs/kiosk.md: tests leave them.
pictures: needs
	cargo build --locked --workspace --bins --test turnout
	TURNOUT_PICTURES=docs/pictures cargo test --locked --workspace --test turnout -- end_to_end::sqlite kiosk_screen camera desk::staff_find_and_admit_people_on_a_tablet

# Measures the programs, built for release, and writes the table in docs/performance.md. PARTS="decode server growth kiosk memory"
# measures only some of it and writes nothing (with "sqlite" or "postgres": on one engine only); TURNOUT_BENCH_MINUTES bounds
# the making of up to ten million bookings on each engine (10).
bench:
	scripts/needs bench
	cargo build --release --locked --workspace --bins --bench performance
	cargo bench --locked --workspace --bench performance -- $(PARTS)
