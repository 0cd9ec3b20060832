# docker build -t pluvio:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package pluvio

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/pluvio /usr/local/bin/pluvio
# The log lies in ./data; mount a volume here and it outlives the container.
RUN install --directory --owner 65532 --group 65532 --mode 750 /var/lib/pluvio
WORKDIR /var/lib/pluvio
USER 65532:65532
EXPOSE 8080 9092
ENTRYPOINT ["pluvio"]
