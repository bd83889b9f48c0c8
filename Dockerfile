# The program, the C library and the certificates of Debian 12, and nothing else: no shell. That is the C
# library that the tests run with, and the allocator that docs/performance.md was measured with.
#
#   make image
#
# or, for both architectures:
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#       --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" \
#       --tag REGISTRY/cnpg-backup-verifier:0.1.0 --push .
#
# Both base images are to be pinned by digest, too; Renovate adds the digests in its first run.

# zig compiles for either architecture, so that this stage runs on that of the machine. A release puts
# binaries that were built and tested before in its place: scripts/publish-image.
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY scripts scripts
RUN scripts/install-tools dist
COPY . .
ARG TARGETARCH
# Shown by `cnpg-backup-verifier version`, as .git stays outside.
ARG REVISION=unknown
RUN case "$TARGETARCH" in \
        amd64) architecture=x86_64 ;; \
        arm64) architecture=aarch64 ;; \
        *) echo "no target for architecture '$TARGETARCH'" >&2; exit 1 ;; \
    esac \
    && built="$(GIT_REVISION="$(printf %.12s "$REVISION")" scripts/build-dist "$architecture")" \
    && install -D -m 755 "$built" "/out/$TARGETARCH/cnpg-backup-verifier"

FROM gcr.io/distroless/cc-debian12:nonroot
ARG TARGETARCH
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="cnpg-backup-verifier" \
      org.opencontainers.image.description="Tells what can be restored from CloudNativePG backups made by the Barman Cloud Plugin" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/monosense/cnpg-backup-verifier" \
      org.opencontainers.image.documentation="https://github.com/monosense/cnpg-backup-verifier/blob/main/README.md" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build --chmod=755 /out/$TARGETARCH/cnpg-backup-verifier /cnpg-backup-verifier
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/cnpg-backup-verifier"]
CMD ["run"]
