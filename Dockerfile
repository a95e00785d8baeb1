# A static binary, and nothing else.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev gcc
WORKDIR /raddle
COPY . .
ENV CARGO_PROFILE_RELEASE_STRIP=symbols
RUN cargo build --release --locked --bin raddle

FROM scratch
COPY --from=build /raddle/target/release/raddle /raddle
WORKDIR /work
ENTRYPOINT ["/raddle"]
