# Two steps: build a static binary, put it alone into an empty image.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /gcli2api .
RUN mkdir -p /image/app/creds /image/tmp && chown -R 10001:10001 /image/app && chmod 0700 /image/app/creds && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /image/ /
COPY --from=build /gcli2api /usr/local/bin/gcli2api
WORKDIR /app
ENV HOST=0.0.0.0 PORT=7861 CREDENTIALS_DIR=/app/creds RUN_AS_UID=10001
VOLUME /app/creds
EXPOSE 7861
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/local/bin/gcli2api", "healthcheck"]
# It begins as root only to take over a mounted /app/creds, and goes on as RUN_AS_UID at once.
ENTRYPOINT ["/usr/local/bin/gcli2api"]
