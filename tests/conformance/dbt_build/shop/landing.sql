-- What another team loads into the warehouse; dbt reads it as a source.
create schema landing;
create table landing.page_views (
  view_id integer,
  customer_id integer,
  viewed_at timestamp,
  referrer varchar
);
insert into landing.page_views values
  (1, 1, timestamp '2026-03-01 08:00:00', 'newsletter'),
  (2, 2, timestamp '2026-03-02 09:30:00', 'search');
