# Two steps: build a static binary, put it alone into an empty image. A test carries out these lines
# by hand (pipeline/server/e2e_image_linux_test.go) and refuses an instruction that it does not know.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /gcli2api .
# /app is everybody's like /tmp: whoever the gateway runs as keeps its log file there.
RUN mkdir -p /image/app /image/tmp /own/creds && chmod 1777 /image/app /image/tmp && chmod 0700 /own/creds

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /image/ /
COPY --from=build --chown=10001:10001 /own/ /app/
COPY --from=build /gcli2api /usr/local/bin/gcli2api
WORKDIR /app
# No more than these two: what stands here overrules config.toml.
ENV CREDENTIALS_DIR=/app/creds RUN_AS_UID=10001
VOLUME /app/creds
EXPOSE 7861
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/gcli2api", "healthcheck"]
# It begins as root only to take over a mounted /app/creds, and goes on as RUN_AS_UID at once.
ENTRYPOINT ["/usr/local/bin/gcli2api"]
