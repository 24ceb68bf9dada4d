import { Breadcrumb, BreadcrumbItem } from '@patternfly/react-core';
import { Link } from 'react-router';

/** The way back to the list. */
export function Crumbs({ to, list, here }: { to: string; list: string; here: string }) {
  return (
    <Breadcrumb className="rd-crumbs">
      <BreadcrumbItem render={({ className }) => <Link to={to} className={className}>{list}</Link>} />
      <BreadcrumbItem isActive>{here}</BreadcrumbItem>
    </Breadcrumb>
  );
}
