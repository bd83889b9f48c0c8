# A static binary and certificates, nothing else.
#
#   docker build --tag cnpg-backup-verifier .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag cnpg-backup-verifier .
#
# Without Docker, on a machine with `rustup target add x86_64-unknown-linux-musl` and musl-tools:
#
#   cargo build --locked --profile dist --target x86_64-unknown-linux-musl

# Alpine's target is musl: what it builds for itself is static. With emulation or a builder per
# platform each image is built on its own architecture, as the C code of the TLS library and of
# zstd and xz would need a cross compiler otherwise.
FROM rust:1.95.0-alpine3.23 AS build
# Alpine keeps one version of a package per release, so a pinned one stops building after an update.
# hadolint ignore=DL3018
RUN apk add --no-cache ca-certificates linux-headers
WORKDIR /source
COPY . .
ARG TARGETARCH
# Shown by `cnpg-backup-verifier version`, as .git stays outside.
ARG REVISION=unknown
RUN case "$TARGETARCH" in \
        amd64) target=x86_64-unknown-linux-musl ;; \
        arm64) target=aarch64-unknown-linux-musl ;; \
        *) echo "no target for architecture '$TARGETARCH'" >&2; exit 1 ;; \
    esac \
    && GIT_REVISION="$REVISION" cargo build --locked --profile dist --target "$target" \
        --bin cnpg-backup-verifier \
    && cp "target/$target/dist/cnpg-backup-verifier" /cnpg-backup-verifier

FROM scratch
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="cnpg-backup-verifier" \
      org.opencontainers.image.description="Tells what can be restored from CloudNativePG backups made by the Barman Cloud Plugin" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /cnpg-backup-verifier /cnpg-backup-verifier
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/cnpg-backup-verifier"]
CMD ["run"]
