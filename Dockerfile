# syntax=docker/dockerfile:1
# The same image as `make image` writes without a container engine; packaging/tests/image/dockerfile.rs compares them.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" .

FROM rust:1.95.0-bookworm AS build
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target make image REVISION="$REVISION" DIST=/dist ROOT=/root-of-image

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="jobstartstop" \
      org.opencontainers.image.description="Switches Brightcove Live channels on and off at planned times, as Kubernetes resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/jobstartstop/jobstartstop" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /root-of-image/ /
USER 65532:65532
WORKDIR /
EXPOSE 8080/tcp
ENTRYPOINT ["/jobstartstop"]
CMD ["run"]
