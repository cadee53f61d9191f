# RiskScan with its embedded AI service; compose.yaml runs two of them.
FROM python:3.11-slim-bookworm

# the embedded AI service reads images with it
RUN apt-get update \
    && apt-get install -y --no-install-recommends tesseract-ocr tesseract-ocr-khm \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin riskscan \
    && install -d -o riskscan -g riskscan -m 0700 /data

WORKDIR /app
# the dependencies first: this layer stays while the code changes
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.txt
# for OIDC_ISSUER
# RUN pip install --no-cache-dir --disable-pip-version-check "PyJWT[crypto]>=2.15,<3"

COPY run.py ./
COPY migrations migrations
COPY riskscan riskscan
RUN python -m compileall -q run.py riskscan migrations

ENV HOST=0.0.0.0 PORT=8000 DATA_DIR=/data LOG_FORMAT=json PYTHONUNBUFFERED=1
USER riskscan
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/api/health/live', timeout=3)"]
CMD ["python", "run.py"]
