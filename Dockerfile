# `spotter serve` and `spotter worker` in a container: see docs/containers.md.
FROM rust:1.95-slim-bookworm AS build
# A C compiler is in it already; SQLite and AWS-LC are built of their sources.
WORKDIR /spotter
COPY . .
RUN cargo build --release --locked && mkdir -p out/data && cp target/release/spotter out/

# A C library, the system's certificates, and a user who is nobody; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /spotter/out/spotter /usr/local/bin/spotter
# A volume takes its owner from here.
COPY --from=build --chown=nonroot:nonroot /spotter/out/data /data
ENV SPOTTER_DATA=/data
VOLUME /data
ENTRYPOINT ["spotter"]
CMD ["serve"]
