# Two steps: build a static binary, put it alone into an image.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /gcli2api .

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home gcli2api && install -d -o 10001 -m 0700 /app /app/creds
COPY --from=build /gcli2api /usr/local/bin/gcli2api
WORKDIR /app
ENV HOST=0.0.0.0 PORT=7861 CREDENTIALS_DIR=/app/creds
USER 10001
VOLUME /app/creds
EXPOSE 7861
ENTRYPOINT ["/usr/local/bin/gcli2api"]
