# Two stages: build with Rust, run as nobody with one binary.
FROM rust:1.95-bookworm AS build
WORKDIR /accord
COPY . .
ARG ACCORD_COMMIT=unknown
RUN ACCORD_COMMIT=$ACCORD_COMMIT cargo build --release --locked --package accord

FROM debian:bookworm-slim
RUN useradd --system --create-home --home-dir /var/lib/accord accord
COPY --from=build /accord/target/release/accord /usr/local/bin/accord
USER accord
WORKDIR /var/lib/accord
# prod: no demo data, no generated secret key, no open /metrics. The start names SECRET_KEY if it is not set.
ENV ACCORD_ENV=prod HOST=0.0.0.0 PORT=3000
EXPOSE 3000
CMD ["accord", "serve"]
