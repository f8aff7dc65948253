// <body data-retry-after="5">: the page of an outage looks again whether it is over.
export function installRetry(): void {
  const seconds = Number(document.body.dataset.retryAfter);
  if (seconds > 0) setTimeout(() => location.reload(), seconds * 1000);
}
